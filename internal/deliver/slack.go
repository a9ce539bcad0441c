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
	a := post(ctx, s.dial, s.userAgent, c.URL, http.Header{headerDelivery: {string(p.delivery.ID)}}, body)
	return weigh(a)
}

// weigh knows Slack's own answers, and web pages, which anybody gives who is
// asked at the wrong address.
func weigh(a Answer) Answer {
	if a.OK && strings.HasPrefix(strings.ToLower(a.Detail), "<") {
		a.OK, a.Detail = false, a.Target+" answered with a web page: this is not the address of an incoming webhook. Slack's are https://hooks.slack.com/services/…"
		return a
	}
	if a.OK {
		return a
	}
	for said, means := range slackErrors {
		if strings.Contains(a.Detail, said) {
			a.Detail = strings.TrimRight(a.Detail, ". ") + ". " + means
			return a
		}
	}
	return a
}

// slackErrors are words of Slack's refusals and what to do about them.
// https://api.slack.com/messaging/webhooks#handling_errors
var slackErrors = map[string]string{
	"no_service":          "The webhook was removed or switched off: make a new one in Slack, and set its address",
	"no_team":             "The workspace of the webhook is gone: make a new one, and set its address",
	"invalid_token":       "The address is not whole, or was revoked: copy it again from Slack",
	"channel_not_found":   "The webhook's channel is gone: make one for another channel",
	"channel_is_archived": "The webhook's channel is archived: unarchive it, or make one for another channel",
	"action_prohibited":   "An administrator of the Slack workspace has forbidden it",
	"posting_to_general":  "Only administrators may write there: make one for another channel",
}
