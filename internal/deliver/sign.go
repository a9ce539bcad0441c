package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery by HTTP.
const (
	headerDelivery  = "X-Shoal-Delivery"
	headerEvent     = "X-Shoal-Event"
	headerSignature = "X-Shoal-Signature"
)

// signature signs body with every secret in force, the newest first:
//
//	t=<Unix seconds>,v1=<hex of HMAC-SHA-256(secret, t "." body)>,v1=…
//
// The time is signed too, so that the receiver can refuse what is old. Empty
// when there is no secret.
func signature(secrets []string, at time.Time, body []byte) string {
	if len(secrets) == 0 {
		return ""
	}
	t := strconv.FormatInt(at.Unix(), 10)
	var b strings.Builder
	b.WriteString("t=" + t)
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(t + "."))
		mac.Write(body)
		b.WriteString(",v1=" + hex.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}
