"""The pages that come in place of an answer: of the portal, of firewalls, log-ins, maintenance and gateways.

Written after what these products show; ids, names and addresses in them are made up.
"""

from __future__ import annotations

from typing import Final

SHELL: Final = """<!doctype html>
<html lang="pt-br" data-critters-container>
<head>
  <meta charset="utf-8">
  <title>Portal de Serviços</title>
  <base href="/">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="icon" type="image/x-icon" href="favicon.ico">
  <link rel="stylesheet" href="styles.css">
</head>
<body class="mat-typography">
  <app-root ng-version="17.3.12"></app-root>
  <script src="runtime.js" type="module"></script><script src="main.js" type="module"></script>
</body>
</html>
"""

F5: Final = (
    "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. "
    "Please consult with your administrator.<br><br>Your support ID is: 4829100473616351027</body></html>"
)

INCAPSULA: Final = """<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW">
<meta name="format-detection" content="telephone=no"></head><body style="margin:0px;height:100%">
<iframe id="main-iframe" src="/_Incapsula_Resource?CWUDNSAI=9&xinfo=7-21463-0%20NNNN" frameborder=0 width="100%"
 height="100%">Request unsuccessful. Incapsula incident ID: 540000-31207764</iframe></body></html>
"""

AKAMAI: Final = """<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access "http&#58;&#47;&#47;portal&#46;example&#47;" on this server.<P>
Reference&#32;&#35;18&#46;c4a13b17&#46;1732796400&#46;2f6ab41
<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;c4a13b17&#46;1732796400&#46;2f6ab41</P>
</BODY>
</HTML>
"""

CLOUDFLARE: Final = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>
<meta http-equiv="content-type" content="text/html; charset=UTF-8"><meta name="robots" content="noindex,nofollow">
</head><body><div class="main-wrapper" role="main"><noscript><div class="h2">Enable JavaScript and cookies to continue
</div></noscript></div><script>(function(){window._cf_chl_opt={cvId:'3',cZone:"portal.example"};
var a=document.createElement('script');a.src='/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1?ray=8e9';
document.getElementsByTagName('head')[0].appendChild(a);}());</script></body></html>
"""

KEYCLOAK: Final = """<!DOCTYPE html>
<html class="login-pf"><head><meta charset="utf-8"><title>Sign in to pje</title></head>
<body><div id="kc-header">PJe</div><div id="kc-form"><form id="kc-form-login" method="post"
 action="https://sso.example/auth/realms/pje/login-actions/authenticate?session_code=q9&amp;execution=5f0c">
<label for="username">CPF/CNPJ</label><input id="username" name="username" type="text" autofocus>
<label for="password">Senha</label><input id="password" name="password" type="password">
<input id="kc-login" type="submit" value="Entrar"></form></div></body></html>
"""

GOV_BR: Final = """<!DOCTYPE html>
<html lang="pt-br"><head><meta charset="utf-8"><title>gov.br - Acesse sua conta</title></head>
<body><main><h1>Identifique-se no gov.br com:</h1><form action="https://sso.acesso.gov.br/login" method="post">
<label for="accountId">Número do CPF</label><p>Digite seu CPF para criar ou acessar sua conta gov.br</p>
<input id="accountId" name="accountId" autocomplete="off"><button type="submit">Continuar</button></form></main>
</body></html>
"""

MAINTENANCE: Final = """<!DOCTYPE html>
<html lang="pt-br"><head><meta charset="utf-8"><title>Sistema em manutenção</title></head>
<body><h1>Sistema em manutenção</h1><p>O portal está temporariamente indisponível para manutenção programada.
Tente novamente mais tarde.</p></body></html>
"""

NOT_FOUND: Final = (
    "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def gateway(status: int, phrase: str) -> str:
    """The page of the proxy before the source when nothing answers behind it."""
    return f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
