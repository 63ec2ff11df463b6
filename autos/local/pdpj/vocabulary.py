"""The words that invented cases are made of: names, classes, subjects, movements, document types.

Names are combined at random from lists; nobody in particular is meant. Codes are of the unified tables (TPU) of CNJ.
"""

from __future__ import annotations

from typing import Final, NamedTuple

GIVEN_NAMES: Final = (
    "Antônia",
    "Benício",
    "Cecília",
    "Davi",
    "Estêvão",
    "Flávia",
    "Gonçalo",
    "Helena",
    "Inês",
    "João",
    "Karina",
    "Luís",
    "Márcia",
    "Natália",
    "Otávio",
    "Patrícia",
    "Raíssa",
    "Sebastião",
    "Tomás",
    "Vitória",
)

SURNAMES: Final = (
    "Araújo",
    "Brandão",
    "Conceição",
    "D'Ávila",
    "Esteves",
    "Falcão",
    "Guimarães",
    "Henriques",
    "Itaboraí",
    "Jardim",
    "Leão",
    "Magalhães",
    "Nóbrega",
    "Otero",
    "Paixão",
    "Quintão",
    "Rebouças",
    "Simões",
    "Távora",
    "Urquiça",
    "Vilaça",
)

COMPANIES: Final = (
    "Banco Alvorada do Sul S.A.",
    "Companhia Seguradora Três Rios",
    "Construtora Pedra Branca Ltda.",
    "Telefonia Aurora S.A.",
    "Município de Vila das Araucárias",
    "Plano de Saúde Bem-Viver Ltda.",
    "Transportes Irmãos Capivari & Cia.",
    "Instituto de Previdência de São Benedito",
)


class Coded(NamedTuple):
    """A code of the unified tables and its name."""

    code: int
    name: str


CLASSES: Final = (
    Coded(7, "Procedimento Comum Cível"),
    Coded(436, "Procedimento do Juizado Especial Cível"),
    Coded(12154, "Execução de Título Extrajudicial"),
    Coded(1116, "Execução Fiscal"),
    Coded(156, "Cumprimento de sentença"),
    Coded(985, "Ação Trabalhista - Rito Ordinário"),
    Coded(120, "Mandado de Segurança Cível"),
)

APPEAL_CLASSES: Final = (
    Coded(198, "Apelação Cível"),
    Coded(202, "Agravo de Instrumento"),
    Coded(460, "Recurso Inominado Cível"),
    Coded(1009, "Recurso Ordinário Trabalhista"),
)


class Subject(NamedTuple):
    """A subject of the unified tables with its path from the root."""

    code: int
    name: str
    path: str


SUBJECTS: Final = (
    Subject(10433, "Indenização por Dano Moral", "DIREITO CIVIL / Responsabilidade Civil"),
    Subject(7779, "Indenização por Dano Moral", "DIREITO DO CONSUMIDOR / Responsabilidade do Fornecedor"),
    Subject(6101, "Aposentadoria por Tempo de Contribuição", "DIREITO PREVIDENCIÁRIO / Benefícios em Espécie"),
    Subject(5952, "IPTU/ Imposto Predial e Territorial Urbano", "DIREITO TRIBUTÁRIO / Impostos"),
    Subject(2546, "Verbas Rescisórias", "DIREITO DO TRABALHO / Rescisão do Contrato de Trabalho"),
    Subject(9580, "Espécies de Contratos", "DIREITO CIVIL / Obrigações"),
    Subject(12491, "Fornecimento de medicamentos", "DIREITO DA SAÚDE / Pública"),
)

MOVEMENTS: Final = (
    Coded(26, "Distribuição"),
    Coded(51, "Conclusão"),
    Coded(85, "Petição"),
    Coded(11010, "Mero expediente"),
    Coded(60, "Expedição de documento"),
    Coded(92, "Publicação"),
    Coded(581, "Documento"),
    Coded(123, "Remessa"),
    Coded(219, "Procedência"),
    Coded(970, "Audiência"),
)


class DocumentType(NamedTuple):
    """A type of document and the names that filings of this type carry; ``{}`` takes a person's name."""

    code: int
    name: str
    titles: tuple[str, ...]


DOCUMENT_TYPES: Final = (
    DocumentType(57, "Petição", ("Petição", "Petição - {}", "Manifestação sobre o laudo")),
    DocumentType(60, "Certidão", ("Certidão", "Certidão de publicação", "Certidão de trânsito em julgado")),
    DocumentType(63, "Despacho", ("Despacho",)),
    DocumentType(64, "Decisão", ("Decisão", "Decisão - Antecipação de tutela")),
    DocumentType(62, "Sentença", ("Sentença", "Sentença (Homologação de acordo)")),
    DocumentType(74, "Acórdão", ("Acórdão", "Ementa e acórdão")),
    DocumentType(65, "Procuração", ("Procuração", "Procuração {}", "Substabelecimento sem reserva")),
    DocumentType(10, "Documento de Identificação", ("RG e CPF {}", "CNH - {}", "Comprovante de residência - {}")),
    DocumentType(71, "Documento de Comprovação", ("Comprovante de depósito", 'Contrato "assinado" 1/2', "Extrato {}")),
    DocumentType(69, "Laudo Pericial", ("Laudo pericial médico - {}", "Laudo técnico")),
    DocumentType(97, "Ata da Audiência", ("Ata da audiência de instrução", "Gravação da audiência")),
    DocumentType(80, "Ofício", ("Ofício nº 0012/2023 – resposta", "Ofício")),
)

OPENING_TYPE: Final = DocumentType(12, "Petição Inicial", ("Petição Inicial",))

UNITS: Final = (
    "1ª Vara Cível",
    "2ª Vara da Fazenda Pública",
    "3ª Vara do Trabalho",
    "Juizado Especial Cível",
    "4ª Vara Federal",
    "Vara Única",
)

PANELS: Final = ("2ª Câmara de Direito Privado", "5ª Turma Recursal", "Gab. Des. da 3ª Turma", "1ª Câmara Cível")

RELATIONS: Final = ("ORIGINARIO", "INCIDENTAL", "CONEXAO", "DEPENDENCIA")
