package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"shoal"
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
		shoal.ExportForm
	}
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	if e.server.Host == "" {
		return Answer{Target: c.Email, Detail: "No mail server is configured: start the server with --smtp-host and --smtp-from (SHOAL_SMTP_HOST, SHOAL_SMTP_FROM)"}
	}
	l := e.letter(p.delivery)
	var file *attachment
	if c.Attach && p.delivery.Payload.Exported {
		content, size, err := e.files.small(ctx, p.delivery.RunID, c.ExportForm, maxAttachment)
		switch {
		case errors.Is(err, errTooLarge):
			l.Note = fmt.Sprintf("The file has more than %d MB, which is too large for a mail.", maxAttachment>>20)
		case err != nil:
			return Answer{Target: c.Email, Detail: err.Error()}
		default:
			defer content.Close()
			file = &attachment{content, size, fileName(p.delivery, c.Format), c.Format.ContentType()}
		}
	}
	a := e.write(ctx, p.delivery, c.Email, l, file)
	if file != nil && a.Status == tooLarge {
		l.Note = "The file is not here: the mail server says that it is too large for a mail."
		a = e.write(ctx, p.delivery, c.Email, l, nil)
	}
	return a
}

// attachment is a file that goes with a mail.
type attachment struct {
	io.ReadSeeker
	size              int64
	name, contentType string
}

// tooLarge is a mail server's code for a mail above its limit (RFC 1870).
const tooLarge = 552

// write writes one mail and hands it in; file may be nil.
func (e *email) write(ctx context.Context, d *shoal.Delivery, to string, l letter, file *attachment) Answer {
	m, err := e.message(d, to, l)
	if err != nil {
		return Answer{Target: to, Detail: err.Error(), final: true}
	}
	within := mailTimeout
	if file != nil {
		m.AttachReadSeeker(file.name, file, mail.WithFileContentType(mail.ContentType(file.contentType)))
		within += time.Duration(file.size/slowest) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err = e.hand(ctx, m, within)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = ctx.Err() // it closed the connection, which is all that err says
	}
	return e.judge(err, to, within)
}

// message writes the mail. Its id is that of the delivery, so that a repeat can
// be told.
func (e *email) message(d *shoal.Delivery, to string, l letter) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(e.server.From); err != nil {
		return nil, fmt.Errorf("the sender's address (--smtp-from) is %q: %w", e.server.From, err)
	}
	if err := m.To(asciiDomain(to)); err != nil {
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

// asciiDomain writes the domain of an address as mail servers know it (RFC
// 5891), whether or not they take others.
func asciiDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if at < 0 || err != nil {
		return address
	}
	return address[:at+1] + domain
}

// stage is the step of a mail's handing in that went wrong.
type stage string

const (
	stageLogIn     stage = "the log-in"
	stageSender    stage = "the sender"
	stageRecipient stage = "the address"
	stageMail      stage = "the mail"
)

// stageError is what the mail server said to a step.
type stageError struct {
	stage stage
	err   error
}

func (e *stageError) Error() string { return string(e.stage) + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// hand hands the mail to the server. Once the server has said that it has it,
// nothing that follows is an error: written again, it would come twice.
func (e *email) hand(ctx context.Context, m *mail.Msg, within time.Duration) error {
	client, err := e.client(ctx, within)
	if err != nil {
		return fmt.Errorf("the mail server's settings: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &stageError{stageLogIn, err}
	}
	defer client.CloseWithSMTPClient(conn)
	from, err := m.GetSender(false)
	if err != nil {
		return &stageError{stageSender, err}
	}
	to, err := m.GetRecipients()
	if err != nil {
		return &stageError{stageRecipient, err}
	}
	if err := conn.Mail(from); err != nil {
		return &stageError{stageSender, err}
	}
	for _, address := range to {
		if err := conn.Rcpt(address); err != nil {
			return &stageError{stageRecipient, err}
		}
	}
	w, err := conn.Data()
	if err != nil {
		return &stageError{stageMail, err}
	}
	if _, err := m.WriteTo(w); err != nil {
		return &stageError{stageMail, err} // without the end of the mail, the server drops it
	}
	if err := w.Close(); err != nil {
		return &stageError{stageMail, err}
	}
	return nil
}

// judge makes the answer of what handing the mail in gave.
func (e *email) judge(err error, to string, within time.Duration) Answer {
	a := Answer{Target: to}
	if err == nil {
		a.OK, a.Status, a.Detail = true, 250, "Accepted by "+e.server.Host
		return a
	}
	var at *stageError
	errors.As(err, &at)
	said, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		a.Detail = e.explain(err, within)
		return a
	}
	a.Status = said.Code
	a.Detail = fmt.Sprintf("%s answered %d %s", e.server.Host, said.Code, clip(said.Msg, maxDetail))
	if at == nil {
		return a
	}
	switch at.stage {
	case stageLogIn:
		if slices.Contains([]int{454, 530, 534, 535, 538}, said.Code) { // RFC 4954, 6
			a.Detail += ". The log-in was refused: look at --smtp-user and --smtp-password"
		}
	case stageSender:
		a.Detail += fmt.Sprintf(". It takes no mail from %s: look at --smtp-from and the log-in", e.server.From)
	default:
		// RFC 5321, 4.2.1: what is refused for good is not to be tried again.
		a.final = said.Code >= 500
	}
	return a
}

// explain says why there was no answer, and which setting of the server may be wrong.
func (e *email) explain(err error, within time.Duration) string {
	said := explain(err, e.server.Host, within)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	_, stranger := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case plain:
		return e.server.Host + " does not speak TLS at that port from the first byte: try --smtp-tls starttls"
	case stranger:
		return "The certificate of " + e.server.Host + " is signed by an authority that this machine does not know: name its certificate with --smtp-ca"
	case strings.Contains(err.Error(), "does not support SMTP AUTH"):
		return e.server.Host + " offers no log-in at this port in this way: use TLS (--smtp-tls), or leave out --smtp-user"
	case errors.Is(err, os.ErrDeadlineExceeded) && e.server.TLS != "tls":
		return explain(err, e.server.Host, greetingWithin) + ". A port for TLS, such as 465, says nothing before the client does: for that one, --smtp-tls tls"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		return e.server.Host + " offers no STARTTLS at this port, so the mail would go in the clear: take another port, or --smtp-tls tls (or none)"
	}
	return said
}

// client returns a client of the mail server whose connections end with ctx.
func (e *email) client(ctx context.Context, within time.Duration) (*mail.Client, error) {
	config := &tls.Config{ServerName: e.server.Host, RootCAs: e.server.Roots, MinVersion: tls.VersionTLS12}
	dial := e.dial
	auth := mail.SMTPAuthAutoDiscover
	if e.server.TLS == "tls" {
		// The library believes a connection that it did not encrypt to be open.
		auth = mail.SMTPAuthPlainNoEnc
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, e.dial, network, address, config)
		}
	}
	options := []mail.Option{
		mail.WithPort(e.server.Port), mail.WithTimeout(within), mail.WithTLSConfig(config), mail.WithTLSPolicy(mail.NoTLS),
		mail.WithDialContextFunc(func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			return &awaited{Conn: conn}, nil
		}),
	}
	if e.server.TLS == "starttls" {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.server.Username != "" {
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(e.server.Username), mail.WithPassword(e.server.Password))
	}
	return mail.NewClient(e.server.Host, options...)
}

// greetingWithin is how long a mail server may take to say its first word. A
// port that is none of a mail server's says nothing.
const greetingWithin = 30 * time.Second

// awaited is a connection whose first bytes are awaited for less long than the
// rest, which the library's deadline and the context bound.
type awaited struct {
	net.Conn
	greeted bool
	until   time.Time
}

func (c *awaited) SetDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetDeadline(t)
}

func (c *awaited) Read(b []byte) (int, error) {
	if c.greeted {
		return c.Conn.Read(b)
	}
	if err := c.SetReadDeadline(time.Now().Add(greetingWithin)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.greeted = true
		return n, errors.Join(err, c.SetReadDeadline(c.until))
	}
	return n, err
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
