package fetch

import (
	"strings"
	"testing"

	"golang.org/x/net/html/charset"
)

// texts are ordinary sentences of the languages whose pages are still found in
// encodings of their own.
var texts = []struct {
	language, text string
	in             []string
}{
	{"ru", "Министерство сообщило, что новые правила вступят в силу с первого января следующего года. Цены на жильё в Москве выросли на десять процентов.",
		[]string{"windows-1251", "koi8-r", "ibm866", "iso-8859-5", "x-mac-cyrillic"}},
	{"ru", "Главная страница", []string{"windows-1251", "koi8-r"}},
	{"ru", "НОВОСТИ И ОБЪЯВЛЕНИЯ ГОРОДА. Купить недорого в интернет-магазине «Ромашка» — доставка бесплатно", []string{"windows-1251", "koi8-r"}},
	{"uk", "Міністерство повідомило, що нові правила набудуть чинності з першого січня наступного року. Її ціни зросли.", []string{"windows-1251", "koi8-u"}},
	{"bg", "Министерството съобщи, че новите правила ще влязат в сила от първи януари следващата година.", []string{"windows-1251"}},
	{"el", "Το υπουργείο ανακοίνωσε ότι οι νέοι κανόνες θα τεθούν σε ισχύ από την πρώτη Ιανουαρίου του επόμενου έτους.", []string{"windows-1253", "iso-8859-7"}},
	{"he", "המשרד הודיע כי הכללים החדשים ייכנסו לתוקף באחד בינואר בשנה הבאה", []string{"windows-1255"}},
	{"ar", "أعلنت الوزارة أن القواعد الجديدة ستدخل حيز التنفيذ في الأول من يناير من العام المقبل", []string{"windows-1256", "iso-8859-6"}},
	{"th", "กระทรวงประกาศว่ากฎใหม่จะมีผลบังคับใช้ตั้งแต่วันที่หนึ่งมกราคมปีหน้า ราคาบ้านในกรุงเทพเพิ่มขึ้น", []string{"windows-874"}},
	{"tr", "Bakanlık, yeni kuralların gelecek yılın ocak ayının birinde yürürlüğe gireceğini açıkladı. İstanbul'da şehir içi ulaşım ücretleri değişti.", []string{"windows-1254"}},
	{"pl", "Ministerstwo poinformowało, że nowe przepisy wejdą w życie od pierwszego stycznia przyszłego roku. Źródło: własne, święto w mieście Łódź.", []string{"windows-1250", "iso-8859-2"}},
	{"cs", "Ministerstvo oznámilo, že nová pravidla začnou platit od prvního ledna příštího roku. Příliš žluťoučký kůň úpěl ďábelské ódy.", []string{"windows-1250", "iso-8859-2"}},
	{"hu", "A minisztérium közölte, hogy az új szabályok a következő év január elsején lépnek életbe. Árvíztűrő tükörfúrógép.", []string{"windows-1250"}},
	{"ro", "Ministerul a anunţat că noile reguli vor intra în vigoare la întâi ianuarie anul viitor, spune ministrul ţării.", []string{"windows-1250"}},
	{"hr", "Ministarstvo je priopćilo da će nova pravila stupiti na snagu prvog siječnja sljedeće godine, što će značiti više posla za građane.", []string{"windows-1250"}},
	{"lt", "Ministerija pranešė, kad naujos taisyklės įsigalios nuo kitų metų sausio pirmosios dienos. Žmonės džiaugiasi šventėmis.", []string{"windows-1257"}},
	{"lv", "Ministrija paziņoja, ka jaunie noteikumi stāsies spēkā no nākamā gada pirmā janvāra. Cilvēki priecājas par svētkiem.", []string{"windows-1257"}},
	{"de", "Das Ministerium teilte mit, dass die neuen Regeln ab dem ersten Jänner nächsten Jahres gültig würden. Größe und Übermaß – „schön“.", []string{"windows-1252", "macintosh"}},
	{"fr", "Le ministère a annoncé que les nouvelles règles entreraient en vigueur le premier janvier de l’année prochaine. Où est passé le garçon ? « Là-bas »", []string{"windows-1252"}},
	{"es", "El ministerio anunció que las nuevas reglas entrarán en vigor el próximo año. ¿Dónde está el niño? ¡Qué sé yo!", []string{"windows-1252"}},
	{"pt", "O ministério anunciou que as novas regras entrarão em vigor no próximo ano. São condições não negociáveis.", []string{"windows-1252"}},
	{"it", "La città è più bella perché c’è il mare. Così sarà anche lunedì.", []string{"windows-1252"}},
	{"sv", "Företaget meddelade att de nya reglerna träder i kraft nästa år. Å andra sidan är det för sent.", []string{"windows-1252"}},
	{"da", "Ministeriet oplyste, at de nye regler træder i kraft næste år. Børn får også noget på øen.", []string{"windows-1252"}},
	{"is", "Ráðuneytið tilkynnti að nýju reglurnar tækju gildi á næsta ári. Það er þó ekki víst.", []string{"windows-1252"}},
	{"zh", "教育部宣布，新的规定将于明年一月一日起生效。今年前三季度，全国居民人均可支配收入同比增长百分之五。", []string{"gbk"}},
	{"zh", "网站首页", []string{"gbk"}},
	{"zh-tw", "教育部宣布，新的規定將於明年一月一日起生效。今年前三季，全國居民平均每人可支配所得比去年成長百分之五。", []string{"big5"}},
	{"ja", "文部科学省は、新しい規則が来年一月一日から施行されると発表した。今年の第三四半期の個人消費は増加した。", []string{"shift_jis", "euc-jp"}},
	{"ja", "お知らせ", []string{"shift_jis", "euc-jp"}},
	{"ja", "トップページへ戻る", []string{"shift_jis", "euc-jp"}},
	{"ko", "교육부는 새로운 규정이 내년 일월 일일부터 시행된다고 발표했다. 올해 삼분기 가계 소득은 증가했다.", []string{"euc-kr"}},
	{"ko", "공지사항", []string{"euc-kr"}},
}

// encoded writes a text in an encoding; the letters that it lacks are left out.
func encoded(t testing.TB, text, name string) string {
	t.Helper()
	e := lookup(name)
	if e == nil {
		t.Fatalf("there is no encoding %q", name)
	}
	var b strings.Builder
	for _, r := range text {
		if s, err := e.NewEncoder().String(string(r)); err == nil {
			b.WriteString(s)
		}
	}
	return b.String()
}

// decoded reads it back.
func decoded(t testing.TB, text, name string) string {
	t.Helper()
	s, err := lookup(name).NewDecoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGuess(t *testing.T) {
	for _, c := range texts {
		for _, name := range c.in {
			for shape, page := range map[string]string{
				"text":   c.text,
				"markup": `<!doctype html><html><head><title>` + c.text + `</title></head><body class="main"><h1>` + c.text + "</h1>\n<p>" + c.text + "</p></body></html>",
			} {
				sent := encoded(t, page, name)
				got := guess([]byte(sent), nil)
				// Another encoding will do if the text comes out the same.
				if want := decoded(t, sent, name); decoded(t, sent, got.name) != want {
					t.Errorf("%s in %s (%s): taken for %s (%.2f): %.60q, want %.60q", c.language, name, shape, got.name, got.score, decoded(t, sent, got.name), want)
				}
			}
		}
	}
}

// Every word of the texts, guessed alone with the hint of its language.
func TestGuessOfAWordWithAHint(t *testing.T) {
	right, all := 0, 0
	for _, c := range texts {
		for _, name := range c.in[:1] {
			for word := range strings.FieldsSeq(c.text) {
				sent := encoded(t, word, name)
				if !beyondASCII([]byte(sent)) {
					continue
				}
				all++
				got := guess([]byte(sent), []string{c.language})
				if decoded(t, sent, got.name) == decoded(t, sent, name) {
					right++
				} else {
					t.Logf("%s in %s: %q is taken for %s: %q", c.language, name, word, got.name, decoded(t, sent, got.name))
				}
			}
		}
	}
	if right*100 < all*95 {
		t.Errorf("%d of %d single words were read right, want 95 %%", right, all)
	}
}

// A few characters of the West must not be taken for something far away, for
// most pages that say nothing are of there.
func TestGuessOfAWesternWordWithoutAHint(t *testing.T) {
	right, all := 0, 0
	for _, c := range texts {
		if c.in[0] != fallback {
			continue
		}
		for word := range strings.FieldsSeq(c.text + " © 2024 50 € 20 °C Nr.° ½ « » – … Café São naïve “quoted” it’s ½ ×") {
			sent := encoded(t, word, fallback)
			if !beyondASCII([]byte(sent)) {
				continue
			}
			all++
			if got := guess([]byte(sent), nil); decoded(t, sent, got.name) == decoded(t, sent, fallback) {
				right++
			} else {
				t.Logf("%s: %q is taken for %s: %q", c.language, word, got.name, decoded(t, sent, got.name))
			}
		}
	}
	if right*100 < all*97 {
		t.Errorf("%d of %d single words were read right, want 97 %%", right, all)
	}
}

func TestLabelsAreNamesOfOurs(t *testing.T) {
	for _, name := range append(encodingNames, fallback) {
		if _, canonical := charset.Lookup(name); canonical != name {
			t.Errorf("%s is called %q by the standard", name, canonical)
		}
		if _, known := judgeEncoding([]byte("x"), name, nil); !known {
			t.Errorf("there is no measure for %s", name)
		}
	}
}

func FuzzToUTF8(f *testing.F) {
	for _, c := range texts {
		f.Add([]byte(encoded(f, c.text, c.in[0])), "text/html", "text/html; charset="+c.in[0])
	}
	f.Add([]byte("<?xml version='1.0' encoding='x'?><meta charset=\"\xff>"), "text/xml", "charset")
	f.Fuzz(func(t *testing.T, body []byte, mediaType, contentType string) {
		buf := newBuffer(len(body))
		buf.b = append(buf.b, body...)
		out := toUTF8(buf, mediaType, contentType, func() []string { return nil }).bytes()
		if len(out) > 4*len(body)+16 {
			t.Errorf("%d bytes became %d", len(body), len(out))
		}
		if isText(mediaType) && strings.ToValidUTF8(string(out), "") != string(out) {
			t.Errorf("%q is not UTF-8", out)
		}
	})
}

// A page of 20 KB in a legacy encoding, with a label and without.
func BenchmarkLegacyText(b *testing.B) {
	text := strings.Repeat("<p class=x>"+texts[0].text+"</p>\n", 100)
	body := encoded(b, text, "windows-1251")
	for name, contentType := range map[string]string{"labelled": "text/html; charset=windows-1251", "unlabelled": "text/html"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				buf := newBuffer(len(body))
				buf.b = append(buf.b, body...)
				toUTF8(buf, "text/html", contentType, func() []string { return nil }).release()
			}
		})
	}
}
