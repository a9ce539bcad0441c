package dom

import (
	"strconv"

	"shoal/internal/dom/atom"
)

// showSelected gives the selectedcontent of each select a copy of what its
// selected option holds (§ 4.10.10, clone an option into a selectedcontent).
// The standard does so whenever an option is closed, and so in the end for the
// one that is selected then. Selects in selects are left alone, as there.
func (p *parser) showSelected() {
	if p.unordered {
		p.renumber()
		p.unordered = false
	}
	for n, end := Root, NodeID(len(p.nodes)); n < end; n++ {
		if !p.IsElement(n, atom.Select) {
			continue
		}
		after := p.End(n)
		if shown, option := p.shown(n); shown != None && option != None {
			p.replaceContents(shown, option)
		}
		n = after - 1
	}
}

// shown is where a select shows the selected option, and that option; None if
// it does not, or none is.
func (p *parser) shown(list NodeID) (shown, option NodeID) {
	if _, several := p.Attr(list, atom.Multiple); several {
		return None, None
	}
	explicit := p.rows(list) > 1 // then nothing is selected that does not say so
	for n, end := list+1, p.End(list); n < end; n++ {
		switch {
		case p.IsElement(n, atom.Template) || p.IsElement(n, atom.Select):
			n = p.End(n) - 1
		case p.IsElement(n, atom.Selectedcontent) && shown == None:
			shown = n
		case p.IsElement(n, atom.Option):
			if _, says := p.Attr(n, atom.Selected); says {
				option, explicit = n, true // the last that says so
			} else if option == None && !explicit && !p.disabledOption(n) {
				option = n
			}
		}
	}
	for a := p.nodes[shown].parent; a != None && a != list; a = p.nodes[a].parent {
		if p.IsElement(a, atom.Option) {
			return None, None
		}
	}
	return shown, option
}

// rows is the display size of a select (§ 4.10.7).
func (p *parser) rows(list NodeID) int {
	size, _ := p.Attr(list, atom.Size)
	n, err := strconv.Atoi(size)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

func (p *parser) disabledOption(option NodeID) bool {
	_, disabled := p.Attr(option, atom.Disabled)
	if group := p.nodes[option].parent; !disabled && p.IsElement(group, atom.Optgroup) {
		_, disabled = p.Attr(group, atom.Disabled)
	}
	return disabled
}

// replaceContents puts a copy of what one element holds into another. The
// copies lie behind each other as what is copied does.
func (p *parser) replaceContents(of, from NodeID) {
	for c := p.nodes[of].first; c != None; c = p.nodes[of].first {
		p.unlink(c)
	}
	first, base, count := from+1, NodeID(len(p.nodes)), int(p.End(from)-from-1)
	if count == 0 {
		return
	}
	if len(p.nodes)+count > p.maxNodes {
		p.truncate(TruncatedNodes)
		return
	}
	moved := func(n NodeID) NodeID {
		switch n {
		case None:
			return None
		case from:
			return of
		}
		return n - first + base
	}
	for i := range count {
		n := p.nodes[int(first)+i]
		n.parent, n.first, n.last, n.prev, n.next = moved(n.parent), moved(n.first), moved(n.last), moved(n.prev), moved(n.next)
		p.nodes = append(p.nodes, n)
	}
	p.nodes[of].first, p.nodes[of].last = moved(p.nodes[from].first), moved(p.nodes[from].last)
	p.unordered = true
}
