package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"time"

	"github.com/wneessen/go-mail"

	"shoal"
	"shoal/internal/blob"
)

// MailServer is the server that mails go through.
type MailServer struct {
	Host string // empty: no mail can be sent
	Port int
	// TLS is "starttls" (required), "tls" (from the first byte) or "none".
	TLS      string
	Username string
	Password string
	From     string         // the sender, such as "Shoal <shoal@example.com>"
	Roots    *x509.CertPool // nil: the system's
}

const (
	// mailTimeout bounds the sending of one mail.
	mailTimeout = 2 * time.Minute
	// maxAttachment is how large a file goes with a mail; a larger one is linked to.
	maxAttachment = 10 << 20
)

// email writes to a person.
type email struct {
	dial   Dial
	server MailServer
	link   Link
	files  *files
}

func (e *email) send(ctx context.Context, p *parcel) Answer {
	var c struct {
		Email  string `json:"email"`
		Attach bool   `json:"attach"`
	}
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	if e.server.Host == "" {
		return Answer{Target: c.Email, Detail: "No mail server is configured: start the server with --smtp-host and --smtp-from (SHOAL_SMTP_HOST, SHOAL_SMTP_FROM)"}
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	letter := e.letter(p.delivery)
	var file *blob.Object
	if c.Attach && p.delivery.Payload.Exported {
		var err error
		if file, err = e.files.open(ctx, p.delivery.RunID); err != nil {
			return Answer{Target: c.Email, Detail: err.Error()}
		}
		defer file.Close()
		if file.Size > maxAttachment {
			letter.Note = fmt.Sprintf("The file has %d MB, which is too large for a mail (at most %d).", file.Size>>20, maxAttachment>>20)
		}
	}
	m, err := e.message(p.delivery, c.Email, letter)
	if err != nil {
		return Answer{Target: c.Email, Detail: err.Error(), final: true}
	}
	if file != nil && letter.Note == "" {
		m.AttachReadSeeker(fileName(p.delivery), file, mail.WithFileContentType("text/csv"))
	}
	return e.post(ctx, m, c.Email)
}

// message writes the mail. Its id is that of the delivery, so that a repeat can
// be told.
func (e *email) message(d *shoal.Delivery, to string, l letter) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := m.From(e.server.From); err != nil {
		return nil, fmt.Errorf("the sender's address (--smtp-from) is %q: %w", e.server.From, err)
	}
	if err := m.To(to); err != nil {
		return nil, fmt.Errorf("the address %q cannot be written to: %w", to, err)
	}
	text, html, err := l.write()
	if err != nil {
		return nil, err
	}
	m.Subject(l.Title)
	m.SetMessageIDWithValue(string(d.ID) + "@" + e.server.Host)
	m.SetDateWithValue(d.CreatedAt)
	m.SetGenHeader(mail.Header(headerDelivery), string(d.ID))
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers by machines
	m.SetBodyString(mail.TypeTextPlain, text)
	m.AddAlternativeString(mail.TypeTextHTML, html)
	return m, nil
}

// post hands the mail to the server.
func (e *email) post(ctx context.Context, m *mail.Msg, to string) Answer {
	client, err := e.client()
	if err != nil {
		return Answer{Target: to, Detail: "The mail server's settings: " + err.Error()}
	}
	a := Answer{Target: to}
	err = client.DialAndSendWithContext(ctx, m)
	var refused *mail.SendError
	var said *textproto.Error
	switch {
	case err == nil:
		a.OK, a.Status, a.Detail = true, 250, "Accepted by "+e.server.Host
	case errors.As(err, &refused) && refused.ErrorCode() > 0:
		a.Status = refused.ErrorCode()
		a.Detail = e.server.Host + " refused the mail: " + clip(err.Error(), maxDetail)
		a.final = a.Status >= 500 // RFC 5321: do not repeat it
	case errors.As(err, &said):
		a.Status = said.Code
		a.Detail = fmt.Sprintf("%s answered %d %s", e.server.Host, said.Code, clip(said.Msg, maxDetail))
	default:
		a.Detail = explain(err, e.server.Host, mailTimeout)
	}
	return a
}

func (e *email) client() (*mail.Client, error) {
	config := &tls.Config{ServerName: e.server.Host, RootCAs: e.server.Roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{
		mail.WithPort(e.server.Port), mail.WithTimeout(mailTimeout), mail.WithTLSConfig(config), mail.WithTLSPolicy(mail.NoTLS),
		mail.WithDialContextFunc(mail.DialContextFunc(e.dial)),
	}
	auth := mail.SMTPAuthAutoDiscover
	switch e.server.TLS {
	case "starttls":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		// The library believes a connection that it did not encrypt to be open.
		auth = mail.SMTPAuthPlainNoEnc
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, e.dial, network, address, config)
		}))
	}
	if e.server.Username != "" {
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(e.server.Username), mail.WithPassword(e.server.Password))
	}
	return mail.NewClient(e.server.Host, options...)
}

// dialTLS connects and shakes hands.
func dialTLS(ctx context.Context, dial Dial, network, address string, config *tls.Config) (net.Conn, error) {
	raw, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}
