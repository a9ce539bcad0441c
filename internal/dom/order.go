package dom

// renumber gives the nodes ids in document order, and drops those that are
// not in the tree any more. Most pages do not need it: their nodes are made in
// the order in which they stand.
func (p *parser) renumber() {
	p.ranks = append(p.ranks[:0], make([]NodeID, len(p.nodes))...)
	next := Root
	for n := Root; n != None; n = p.following(n) {
		p.ranks[n] = next
		next++
	}
	p.spare = append(p.spare[:0], make([]node, next)...)
	for n, rank := range p.ranks {
		if rank == None {
			continue
		}
		old := p.nodes[n]
		old.parent, old.first, old.last = p.ranks[old.parent], p.ranks[old.first], p.ranks[old.last]
		old.prev, old.next = p.ranks[old.prev], p.ranks[old.next]
		p.spare[rank] = old
	}
	p.nodes, p.spare = p.spare, p.nodes
}

// following is the node after n in document order, by the shape of the tree.
func (d *Document) following(n NodeID) NodeID {
	if first := d.nodes[n].first; first != None {
		return first
	}
	for ; n != None; n = d.nodes[n].parent {
		if next := d.nodes[n].next; next != None {
			return next
		}
	}
	return None
}
