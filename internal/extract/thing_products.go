package extract

import (
	"encoding/json"
	"slices"
	"strings"

	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
	"shoal/internal/value"
)

// goods are something that a page sells.
type goods struct {
	Name         string   `json:"name,omitempty"`
	Brand        string   `json:"brand,omitempty"`
	SKU          string   `json:"sku,omitempty"`
	GTIN         string   `json:"gtin,omitempty"`
	MPN          string   `json:"mpn,omitempty"`
	Price        *float64 `json:"price,omitempty"`      // the lowest
	PriceHigh    *float64 `json:"price_high,omitempty"` // when there are several
	Currency     string   `json:"currency,omitempty"`   // ISO 4217
	Availability string   `json:"availability,omitempty"`
	Condition    string   `json:"condition,omitempty"`
	Seller       string   `json:"seller,omitempty"`
	Rating       *float64 `json:"rating,omitempty"`
	BestRating   *float64 `json:"best_rating,omitempty"`
	Reviews      *int64   `json:"reviews,omitempty"`
	Description  string   `json:"description,omitempty"`
	Category     string   `json:"category,omitempty"`
	Color        string   `json:"color,omitempty"`
	Size         string   `json:"size,omitempty"`
	Material     string   `json:"material,omitempty"`
	Images       []string `json:"images,omitempty"`
	URL          string   `json:"url,omitempty"`
	Variants     []goods  `json:"variants,omitempty"`
	Source       string   `json:"source,omitempty"` // jsonld, microdata or opengraph
	Listed       bool     `json:"listed"`           // the page lists it and another page is about it
}

var productTypes = []string{"Product", "ProductGroup", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car", "ProductCollection"}

// belongs are the members under which another product is meant than the one
// that the item is about, or a part of it.
var belongs = []string{"hasVariant", "isVariantOf", "model", "isRelatedTo", "isSimilarTo", "isAccessoryOrSparePartFor", "isConsumableFor", "itemReviewed", "itemOffered", "about", "predecessorOf", "successorOf"}

// readProducts reads the products that a page sells, from its JSON-LD, its
// microdata and its Open Graph tags. What one of them leaves out the next may
// say, when the page is about one product. Those that have a page of their own
// are marked as listed.
func readProducts(p *thingPage) [][]byte {
	main := p.merge(
		p.productsOf(p.ldItems(), "jsonld"),
		p.productsOf(p.microItems(), "microdata"),
	)
	if og, ok := p.openGraphProduct(); ok {
		switch own := ownOf(main); {
		case len(main) == 0:
			main = []goods{og}
		case len(own) == 1:
			complete(&main[own[0]], og)
		}
	}
	if own := ownOf(main); len(own) == 1 && main[own[0]].Category == "" {
		main[own[0]].Category = p.breadcrumb(main[own[0]].Name)
	}
	var out [][]byte
	for _, item := range main {
		if item.Name == "" && item.SKU == "" && item.Price == nil || item.Listed && p.options["listings"] != "true" {
			continue
		}
		if item.URL == "" && !item.Listed {
			item.URL = p.url
		}
		out = appendThing(out, item)
	}
	return out
}

// ownOf are the indexes of the products that the page itself is about.
func ownOf(list []goods) []int {
	var own []int
	for i := range list {
		if !list[i].Listed {
			own = append(own, i)
		}
	}
	return own
}

// merge joins the products of two sources: the same one, by its number, its
// address or its name, is completed.
func (p *thingPage) merge(a, b []goods) []goods {
	for _, other := range b {
		i := slices.IndexFunc(a, func(have goods) bool { return have.isSame(other) })
		if own, its := ownOf(a), ownOf(b); i < 0 && len(own) == 1 && len(its) == 1 && !other.Listed {
			i = own[0]
		}
		if i >= 0 {
			complete(&a[i], other)
		} else {
			a = append(a, other)
		}
	}
	return p.aboutOne(a)
}

func (p goods) isSame(o goods) bool {
	switch {
	case p.SKU != "" && o.SKU != "":
		return p.SKU == o.SKU
	case p.GTIN != "" && o.GTIN != "":
		return p.GTIN == o.GTIN
	case p.URL != "" && o.URL != "":
		return p.URL == o.URL
	}
	return p.Name != "" && strings.EqualFold(p.Name, o.Name)
}

// aboutOne keeps, of several products without a page of their own, the one that
// the page is headed with: the others are recommended beside it.
func (p *thingPage) aboutOne(list []goods) []goods {
	own := ownOf(list)
	if len(own) < 2 {
		return list
	}
	h1 := line(p.first(func(n node) bool { return n.Atom() == atom.H1 }))
	for _, i := range own {
		if h1 != "" && strings.EqualFold(list[i].Name, h1) {
			return []goods{list[i]}
		}
	}
	return list
}

// productsOf are the products among structured items that are no part of
// another.
func (p *thingPage) productsOf(items []object, source string) []goods {
	parts := map[string]bool{}
	for _, o := range items {
		for _, name := range belongs {
			if name == "itemOffered" && o.is("Offer", "AggregateOffer") {
				continue // the offer is the page's, and what it offers its product
			}
			for _, part := range o.subs(name) {
				parts[encoded(part)] = true
			}
		}
		if o.is("Review") { // a review within another thing names what it is of
			parts[encoded(o.sub("itemReviewed"))] = true
		}
	}
	var list []goods
	seen := map[string]bool{}
	for _, o := range items {
		text := encoded(o)
		if !o.is(productTypes...) || parts[text] || seen[text] {
			continue
		}
		seen[text] = true
		list = append(list, p.product(o, source))
	}
	return list
}

func encoded(o object) string {
	b, err := json.Marshal(o)
	if err != nil {
		return "" // it was decoded from JSON
	}
	return string(b)
}

// product reads one item.
func (p *thingPage) product(o object, source string) goods {
	r := goods{
		Source: source, Name: o.text("name", "headline"), Brand: o.text("brand", "manufacturer"), SKU: o.text("sku", "productID", "productGroupID"),
		GTIN: digitsOf(o.text("gtin13", "gtin", "gtin14", "gtin12", "gtin8", "isbn", "ean")), MPN: o.text("mpn"), Description: o.text("description"),
		Category: o.text("category"), Color: o.text("color"), Size: o.text("size"), Material: o.text("material"), Condition: lastPart(o.text("itemCondition")),
	}
	if isAddress(r.Category) {
		r.Category = ""
	}
	for _, name := range []string{"image", "images", "photo"} {
		for _, ref := range addressesOf(o[name]) {
			if abs := p.link(ref); abs != "" && !slices.Contains(r.Images, abs) {
				r.Images = append(r.Images, abs)
			}
		}
	}
	if rating := o.sub("aggregateRating"); rating != nil {
		r.Rating, r.BestRating = numberOf(rating.text("ratingValue")), numberOf(rating.text("bestRating"))
		if n, ok := value.Int(rating.text("reviewCount", "ratingCount")); ok {
			r.Reviews = &n
		}
	}
	at := ""
	for _, name := range []string{"url", "@id", "mainEntityOfPage"} {
		if list := addressesOf(o[name]); at == "" && len(list) > 0 && (name != "@id" || strings.HasPrefix(list[0], "http")) {
			at = list[0]
		}
	}
	r.offers(o, &at)
	for _, v := range o.subs("hasVariant") {
		variant := p.product(v, "")
		variant.Listed = false
		r.Variants = append(r.Variants, variant)
		r.widen(variant)
	}
	if abs, ok := address.Canonical(p.link(at)); ok && at != "" {
		r.URL = abs
		r.Listed = !p.same(at) && !p.same2(abs)
	}
	return r
}

// same2 reports whether an address is what the page calls its canonical one.
func (p *thingPage) same2(at string) bool {
	n := p.first(func(n node) bool { return n.Atom() == atom.Link && oneOf(n, "rel", "canonical") })
	if !n.Exists() {
		return false
	}
	href, _ := attr(n, "href")
	c, ok := address.Canonical(p.link(href))
	return ok && strings.TrimSuffix(c, "/") == strings.TrimSuffix(at, "/")
}

// offers reads the product's prices; at is set when only an offer has one.
func (r *goods) offers(o object, address *string) {
	list := slices.Concat(o.subs("offers"), o.subs("offer"))
	for i := 0; i < len(list) && len(list) < 10_000; i++ {
		list = append(list, list[i].subs("offers")...) // of an AggregateOffer
	}
	if len(list) == 0 && (o["price"] != nil || o["lowPrice"] != nil) {
		list = append(list, o) // careless pages
	}
	for _, offer := range list {
		currency := offer.text("priceCurrency", "currency")
		prices := []string{offer.text("price"), offer.text("lowPrice"), offer.text("highPrice")}
		for _, spec := range offer.subs("priceSpecification") {
			if kind := strings.ToLower(spec.text("priceType")); strings.Contains(kind, "list") || strings.Contains(kind, "strikethrough") || spec["referenceQuantity"] != nil && prices[0] != "" {
				continue // the price before, or of another quantity
			}
			if prices[0] == "" && prices[1] == "" {
				prices = append(prices, spec.text("price", "minPrice"))
			}
			if currency == "" {
				currency = spec.text("priceCurrency")
			}
		}
		for _, text := range prices {
			r.price(text, currency)
		}
		r.stock(offer.text("availability"))
		if r.Condition == "" {
			r.Condition = lastPart(offer.text("itemCondition"))
		}
		if r.Seller == "" {
			r.Seller = offer.text("seller", "offeredBy")
		}
		if *address == "" {
			if list := addressesOf(offer["url"]); len(list) > 0 {
				*address = list[0]
			}
		}
	}
}

// price widens the product's range of prices by one.
func (r *goods) price(text, currency string) {
	v := numberOf(text)
	if v == nil || *v < 0 {
		return
	}
	if currency = strings.ToUpper(strings.TrimSpace(currency)); currency == "" {
		if m, ok := value.Money(text); ok {
			currency = m.Currency
		}
	}
	if r.Currency == "" {
		r.Currency = currency
	}
	if currency != "" && currency != r.Currency {
		return // a price in another currency is no part of the range
	}
	low, high := v, v
	if r.Price != nil {
		if low = r.Price; *v < *low {
			low = v
		}
		if high = r.PriceHigh; high == nil {
			high = r.Price
		}
		if *v > *high {
			high = v
		}
	}
	r.Price, r.PriceHigh = low, nil
	if *high != *low {
		r.PriceHigh = high
	}
}

// stock keeps the best availability that one of the offers has.
func (r *goods) stock(text string) {
	if s := availability(text); s != "" && (r.Availability == "" || rankOf(s) < rankOf(r.Availability)) {
		r.Availability = s
	}
}

// availabilities are schema.org's words, the best for a buyer first.
var availabilities = []string{"InStock", "InStoreOnly", "OnlineOnly", "LimitedAvailability", "MadeToOrder", "PreOrder", "PreSale", "BackOrder", "Reserved", "OutOfStock", "SoldOut", "Discontinued"}

func rankOf(s string) int {
	if i := slices.Index(availabilities, s); i >= 0 {
		return i
	}
	return len(availabilities)
}

// availability writes what shops say of their stock in schema.org's words.
func availability(text string) string {
	text = lastPart(strings.TrimSpace(text))
	plain := strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(text))
	for _, known := range availabilities {
		if strings.ToLower(known) == plain {
			return known
		}
	}
	switch plain {
	case "available", "yes", "true", "1", "instock!", "availablefororder":
		return "InStock"
	case "oos", "unavailable", "no", "false", "0", "notavailable":
		return "OutOfStock"
	case "pending", "presell":
		return "PreOrder"
	}
	return text
}

// widen takes a variant's prices and stock into the product's.
func (r *goods) widen(v goods) {
	for _, price := range []*float64{v.Price, v.PriceHigh} {
		if price != nil {
			r.price(string(appendFloat(nil, *price)), v.Currency)
		}
	}
	r.stock(v.Availability)
	if r.Condition == "" {
		r.Condition = v.Condition
	}
}

// complete fills what the product lacks from another source.
func complete(r *goods, o goods) {
	for _, f := range []struct{ have, other *string }{
		{&r.Name, &o.Name}, {&r.Brand, &o.Brand}, {&r.SKU, &o.SKU}, {&r.GTIN, &o.GTIN}, {&r.MPN, &o.MPN}, {&r.Availability, &o.Availability},
		{&r.Condition, &o.Condition}, {&r.Seller, &o.Seller}, {&r.Description, &o.Description}, {&r.Category, &o.Category}, {&r.Color, &o.Color},
		{&r.Size, &o.Size}, {&r.Material, &o.Material}, {&r.URL, &o.URL},
	} {
		if *f.have == "" {
			*f.have = *f.other
		}
	}
	if r.Price == nil {
		r.Price, r.PriceHigh, r.Currency = o.Price, o.PriceHigh, o.Currency
	}
	if r.Currency == "" {
		r.Currency = o.Currency
	}
	if r.Rating == nil {
		r.Rating, r.BestRating, r.Reviews = o.Rating, o.BestRating, o.Reviews
	}
	if len(r.Images) == 0 {
		r.Images = o.Images
	}
}

// openGraphProduct is the product that the page's Open Graph tags describe:
// those of a page whose type is a product, or that name a price.
func (p *thingPage) openGraphProduct() (goods, bool) {
	var o object
	if json.Unmarshal(openGraph(p.root), &o) != nil || o == nil {
		return goods{}, false
	}
	tags, og := object(nil), o.sub("og")
	if og == nil {
		og = o
	}
	if tags = o.sub("product"); tags == nil {
		tags = og.sub("product")
	}
	price := tags.sub("price")
	if price == nil {
		price = og.sub("price")
	}
	kind := strings.ToLower(o.text("type"))
	if price.text("amount") == "" && kind != "product" && kind != "og:product" && kind != "product.item" {
		return goods{}, false
	}
	r := goods{
		Source: "opengraph", Name: og.text("title"), Description: og.text("description"), Brand: tags.text("brand"), SKU: tags.text("retailer_item_id", "sku", "retailer_part_no"),
		GTIN: digitsOf(tags.text("ean", "isbn", "upc", "gtin")), MPN: tags.text("mfr_part_no"), Category: tags.text("category"), Color: tags.text("color"), Size: tags.text("size"),
		Material: tags.text("material"), Condition: tags.text("condition"), Availability: availability(tags.text("availability")),
	}
	if r.Availability == "" {
		r.Availability = availability(og.text("availability"))
	}
	r.price(price.text("amount"), price.text("currency"))
	for _, name := range []string{"image"} {
		for _, ref := range addressesOf(og[name]) {
			if abs := p.link(ref); abs != "" && !slices.Contains(r.Images, abs) {
				r.Images = append(r.Images, abs)
			}
		}
	}
	if abs, ok := address.Canonical(p.link(og.text("url"))); ok && og.text("url") != "" {
		r.URL = abs
	}
	return r, true
}

// breadcrumb is the path of categories that the page's structured data gives,
// without its ends: the site and the product.
func (p *thingPage) breadcrumb(product string) string {
	for _, o := range p.structured() {
		if !o.is("BreadcrumbList") {
			continue
		}
		var names []string
		for _, item := range o.subs("itemListElement") {
			if n := item.text("name", "item"); n != "" && !isAddress(n) && !strings.EqualFold(n, product) {
				names = append(names, n)
			}
		}
		if len(names) > 1 {
			names = names[1:]
		}
		return strings.Join(names, " > ")
	}
	return ""
}

func digitsOf(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c == 'X' || c == 'x' {
			return c
		}
		return -1
	}, s)
}

func numberOf(s string) *float64 {
	if v, ok := value.Number(s); ok {
		return &v
	}
	return nil
}
