package extract

import (
	"fmt"
	"strings"

	md "github.com/JohannesKaufmann/html-to-markdown/v2"
	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"

	"shoal/internal/dom"
	"shoal/internal/dom/address"
)

// markdown converts an element.
func markdown(n node, res *address.Resolver) (out string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("convert to Markdown: %v", p)
		}
	}()
	var opts []converter.ConvertOptionFunc
	if res != nil {
		opts = append(opts, converter.WithDomain(res.String()))
	}
	b, err := md.ConvertNode(dom.ToNode(n, nil), opts...)
	if err != nil {
		return "", fmt.Errorf("convert to Markdown: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
