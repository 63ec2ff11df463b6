// A webhook receiver in Go, with nothing but its standard library.
//
//	AUTOS_WEBHOOK_SECRET=whsec_... AUTOS_WEBHOOK_KEYS=https://autos.example/.well-known/webhook-keys.json \
//	    PORT=9000 go run webhook_receiver.go
//
// The secret is that of your endpoint, or of GET /webhooks/secret. With AUTOS_WEBHOOK_KEYS the signatures by public key
// are checked too. One good signature is enough: the answer says which were.
package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	mostBytes     = 1 << 20 // The bound of a body (AUTOS_WEBHOOK_MAX_BODY_BYTES).
	oldestSeconds = 300
)

// Verified says which kinds of signatures are right.
type Verified struct {
	V1  bool `json:"v1"`
	V1a bool `json:"v1a"`
}

// Receiver checks what comes with a secret and with the public keys at a URL.
type Receiver struct {
	secret  []byte
	keysURL string
	mutex   sync.Mutex
	keys    []ed25519.PublicKey
}

func (r *Receiver) fetchKeys() error {
	answer, err := http.Get(r.keysURL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var set struct {
		Keys []struct{ Kty, Crv, X string }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, mostBytes)).Decode(&set); err != nil {
		return err
	}
	var keys []ed25519.PublicKey
	for _, key := range set.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(key.X)
		if err == nil && key.Kty == "OKP" && key.Crv == "Ed25519" && len(raw) == ed25519.PublicKeySize {
			keys = append(keys, raw)
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.keys = keys
	return nil
}

func (r *Receiver) verify(header http.Header, body []byte) (found Verified) {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || math.Abs(float64(time.Now().Unix()-seconds)) > oldestSeconds {
		return found
	}
	content := append([]byte(id+"."+timestamp+"."), body...)
	mac := hmac.New(sha256.New, r.secret)
	mac.Write(content)
	expected := mac.Sum(nil)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, text := range strings.Fields(header.Get("webhook-signature")) {
		version, encoded, _ := strings.Cut(text, ",")
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		switch version {
		case "v1":
			found.V1 = found.V1 || (len(r.secret) > 0 && hmac.Equal(signature, expected))
		case "v1a":
			for _, key := range r.keys {
				found.V1a = found.V1a || ed25519.Verify(key, content, signature)
			}
		}
	}
	return found
}

func (r *Receiver) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, mostBytes))
	if err != nil {
		answer.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	found := r.verify(request.Header, body)
	if r.keysURL != "" && !found.V1a && strings.Contains(request.Header.Get("webhook-signature"), "v1a,") {
		// A key that was made since: ask once more.
		if r.fetchKeys() == nil {
			found = r.verify(request.Header, body)
		}
	}
	answer.Header().Set("content-type", "application/json")
	if !found.V1 && !found.V1a {
		answer.WriteHeader(http.StatusUnauthorized)
	}
	_ = json.NewEncoder(answer).Encode(found)
	// The same webhook-id may come again: remember those that you have handled. Do slow work after the answer.
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("AUTOS_WEBHOOK_SECRET"), "whsec_"))
	if err != nil {
		log.Fatal("AUTOS_WEBHOOK_SECRET is not whsec_ and base64")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "9000"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, &Receiver{secret: secret, keysURL: os.Getenv("AUTOS_WEBHOOK_KEYS")}))
}
