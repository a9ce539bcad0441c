package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// slack posts a message to an incoming webhook of Slack, or of what speaks its
// language (Mattermost, Rocket.Chat, Discord under /slack).
// https://api.slack.com/messaging/webhooks
type slack struct {
	dial      Dial
	userAgent string
	link      Link
}

// slackEscape is what Slack asks for in texts.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (s *slack) send(ctx context.Context, p *parcel) Answer {
	var c struct {
		URL string `json:"url"`
	}
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	n := tell(p.delivery)
	text := "*" + slackEscape.Replace(n.title) + "*\n" + slackEscape.Replace(n.sentence)
	for _, f := range n.facts {
		text += fmt.Sprintf("\n• %s: %s", f.name, slackEscape.Replace(f.value))
	}
	if link := s.link.of(p.delivery); link != "" {
		text += "\n<" + link + "|Download the results as CSV>"
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return Answer{Detail: "The message could not be written as JSON: " + err.Error(), final: true}
	}
	return post(ctx, s.dial, s.userAgent, c.URL, http.Header{headerDelivery: {string(p.delivery.ID)}}, body)
}
