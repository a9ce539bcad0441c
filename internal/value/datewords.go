package value

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// monthNames are the names of the months, January first, set apart by |: full
// and short ones, in the cases in which dates use them. Where two languages
// use a word for different months, the earlier line wins; see monthsOf.
const monthNames = `january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sep sept|october oct|november nov|december dec
januar jänner jän jan|februar feber feb|märz mär mrz|april apr|mai|juni jun|juli jul|august aug|september sept sep|oktober okt|november nov|dezember dez
janvier janv|février févr fév|mars|avril avr|mai|juin|juillet juil|août|septembre sept|octobre oct|novembre nov|décembre déc
enero ene|febrero feb|marzo mar|abril abr|mayo may|junio jun|julio jul|agosto ago|septiembre setiembre sept sep set|octubre oct|noviembre nov|diciembre dic
gennaio gen genn|febbraio febbr|marzo|aprile|maggio mag magg|giugno giu|luglio lug|agosto|settembre sett|ottobre ott|novembre|dicembre
janeiro|fevereiro fev|março|abril|maio|junho|julho|agosto|setembro|outubro out|novembro|dezembro dez
januari|februari febr|maart mrt|april|mei|juni|juli|augustus|september|oktober|november|december
stycznia styczeń styczniu sty|lutego luty lutym lut|marca marzec marcu|kwietnia kwiecień kwietniu kwi|maja maj maju|czerwca czerwiec czerwcu cze|lipca lipiec lipcu lip|sierpnia sierpień sierpniu sie|września wrzesień wrześniu wrz|października październik październiku paź|listopada listopad listopadzie lis|grudnia grudzień grudniu gru
января январь янв|февраля февраль фев февр|марта март мар|апреля апрель апр|мая май|июня июнь июн|июля июль июл|августа август авг|сентября сентябрь сен сент|октября октябрь окт|ноября ноябрь ноя нояб|декабря декабрь дек
ledna leden lednu led|února únor únoru úno|března březen březnu bře|dubna duben dubnu dub|května květen květnu kvě|června červen červnu čvn|července červenec červenci čvc|srpna srpen srpnu srp|září zář|října říjen říjnu říj|listopadu|prosince prosinec prosinci pro
januára január|februára február|marca marec mar|apríla apríl|mája máj|júna jún|júla júl|augusta august|septembra september|októbra október|novembra november|decembra december
januari|februari|mars mar|april|maj|juni|juli|augusti|september|oktober|november|december
januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december
januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember des
tammikuuta tammikuu tammi|helmikuuta helmikuu helmi|maaliskuuta maaliskuu maalis|huhtikuuta huhtikuu huhti|toukokuuta toukokuu touko|kesäkuuta kesäkuu kesä|heinäkuuta heinäkuu heinä|elokuuta elokuu elo|syyskuuta syyskuu syys|lokakuuta lokakuu loka|marraskuuta marraskuu marras|joulukuuta joulukuu joulu
ocak oca|şubat şub|mart|nisan nis|mayıs|haziran haz|temmuz tem|ağustos ağu|eylül eyl|ekim eki|kasım kas|aralık ara
január|február febr|március márc|április ápr|május máj|június jún|július júl|augusztus|szeptember szept|október okt|november|december
ianuarie ian|februarie|martie|aprilie|mai|iunie iun|iulie iul|august|septembrie|octombrie|noiembrie noi|decembrie
січня січень січ|лютого лютий лют|березня березень бер|квітня квітень кві квіт|травня травень тра трав|червня червень чер черв|липня липень лип|серпня серпень сер серп|вересня вересень вер|жовтня жовтень жов жовт|листопада листопад лис|грудня грудень гру груд
януари яну|февруари|март|април|май|юни|юли|август|септември септ|октомври|ноември|декември
ιανουαρίου ιανουάριος ιαν|φεβρουαρίου φεβρουάριος φεβ|μαρτίου μάρτιος μαρ μάρ|απριλίου απρίλιος απρ|μαΐου μάιος μαϊ μαΐ|ιουνίου ιούνιος ιουν|ιουλίου ιούλιος ιουλ|αυγούστου αύγουστος αυγ|σεπτεμβρίου σεπτέμβριος σεπ σεπτ|οκτωβρίου οκτώβριος οκτ|νοεμβρίου νοέμβριος νοε νοεμ|δεκεμβρίου δεκέμβριος δεκ
siječnja siječanj sij|veljače veljača velj|ožujka ožujak ožu|travnja travanj tra|svibnja svibanj svi|lipnja lipanj|srpnja srpanj|kolovoza kolovoz kol|rujna rujan ruj|studeni|studenoga studenog stu|prosinca prosinac
januara јануар јануара јан|februara фебруар фебруара феб|marta март|aprila април|maja maj мај маја|juna jun јун јуна|jula jul јул јула|avgusta avgust avg август|septembra септембар септембра|oktobra oktobar октобар октобра|novembra novembar новембар новембра|decembra decembar децембар децембра
januarja|februarja|marca|aprila|maja|junija junij|julija julij|avgusta|septembra|oktobra|novembra|decembra
sausio sausis saus|vasario vasaris vas|kovo kovas kov|balandžio balandis bal|gegužės gegužė geg|birželio birželis birž|liepos liepa liep|rugpjūčio rugpjūtis rugp|rugsėjo rugsėjis rugs|spalio spalis spal|lapkričio lapkritis lapkr|gruodžio gruodis gruod
janvāris janvāra janvārī|februāris februāra februārī|marts marta martā|aprīlis aprīļa aprīlī|maijs maija maijā|jūnijs jūnija jūnijā|jūlijs jūlija jūlijā|augusts augusta augustā|septembris septembra septembrī|oktobris oktobra oktobrī|novembris novembra novembrī|decembris decembra decembrī
jaanuar jaan|veebruar veebr|märts|aprill|mai|juuni|juuli|august|september|oktoober|november|detsember dets
januari|februari|maret|april|mei|juni|juli|agustus agt|september|oktober|november|desember des
gener|febrer|març|abril|maig|juny|juliol|agost|setembre|octubre|novembre|desembre
มกราคม ม.ค. มค|กุมภาพันธ์ ก.พ.|มีนาคม มี.ค.|เมษายน เม.ย.|พฤษภาคม พ.ค.|มิถุนายน มิ.ย.|กรกฎาคม ก.ค.|สิงหาคม ส.ค.|กันยายน ก.ย.|ตุลาคม ต.ค.|พฤศจิกายน พ.ย.|ธันวาคม ธ.ค.
يناير|فبراير|مارس|أبريل ابريل|مايو|يونيو|يوليو|أغسطس اغسطس|سبتمبر|أكتوبر اكتوبر|نوفمبر|ديسمبر
ינואר בינואר|פברואר בפברואר|מרץ במרץ מרס במרס|אפריל באפריל|מאי במאי|יוני ביוני|יולי ביולי|אוגוסט באוגוסט|ספטמבר בספטמבר|אוקטובר באוקטובר|נובמבר בנובמבר|דצמבר בדצמבר
जनवरी|फ़रवरी फरवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर सितम्बर|अक्टूबर अक्तूबर|नवंबर नवम्बर|दिसंबर दिसम्बर`

// monthsOf are words that mean another month in one language than in those
// that stand first in monthNames.
var monthsOf = map[string]map[string]int{
	"hr": {"listopad": 10, "listopada": 10, "lis": 10, "lip": 6, "srp": 7, "pro": 12},
	"bs": {"listopad": 10, "listopada": 10},
	"fi": {"mar": 11},
}

// dateUnits are the words for spans of time: s(econds), i (minutes), h(ours),
// d(ays), w(eeks), m(onths), y(ears).
const dateUnits = `s s sec secs second seconds sek sekunde sekunden seconde secondes seconden segundo segundos seg secondo secondi sekunda sekundy sekund sekundę секунд секунды секунду сек sekund sekunder sekunti sekuntia saniye sn másodperc secunde secundă δευτερόλεπτα 秒 秒鐘 秒钟 초 ثانية ثوان שניות सेकंड giây วินาที detik segons
i m min mins minute minutes minuten minuto minutos minuti minuut minuta minuty minut minutę minutami минут минуты минуту мин minuter minutter minuttia minuutti minuuttia dakika dk dakikalık perc perce minute hvilina хвилин хвилини хвилину λεπτά 分 分钟 分鐘 分間 분 دقيقة دقائق דקות मिनट phút นาที menit minuts minut
h h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur uren godz godzina godziny godzin godzinę hodin hodiny hodinami hodinou час часа часов ч timme timmar time timer tunti tuntia saat sa óra órája oră години годину годин ώρες ώρα 小时 小時 時間 时间 시간 ساعة ساعات שעות घंटे घंटा giờ ชั่วโมง jam sati sata ur hores
d d day days tag tage tagen jour jours día días dia dias giorno giorni dag dagen dager dage dagar dzień dni dniami den dny dnem день дня дней дн днів дні dana dan päivä päivää pv gün nap napja zile zi ημέρες ημέρα μέρες 天 日 日間 일 يوم أيام ימים दिन ngày วัน hari дена dienas dienu päeva dies
w w wk wks week weeks woche wochen sem semaine semaines semana semanas settimana settimane weken tydzień tygodnie tygodni týden týdny týdnů týdnem неделю недели недель нед veckor vecka uker uke uge uger viikko viikkoa vk hafta hét hete săptămâni săptămână тижнів тижні тиждень εβδομάδες εβδομάδα 周 週 週間 星期 个星期 個星期 주 주일 أسابيع أسبوع שבועות हफ़्ते tuần สัปดาห์ minggu tjedana tjedna setmanes setmana
m mo mos mon month months monat monate monaten mois mes meses mês mese mesi maand maanden miesiąc miesiące miesięcy měsíc měsíce měsíců měsíci měsícem месяц месяца месяцев мес månad månader måned måneder kuukausi kuukautta kk ay hónap hónapja luni lună місяців місяці місяць μήνες μήνα 个月 個月 ヶ月 か月 カ月 ヵ月 箇月 개월 달 شهر أشهر חודשים महीने महीना tháng เดือน bulan mjeseci mjeseca mesos
y y yr yrs year years jahr jahre jahren an ans année années año años ano anos anno anni jaar rok lata lat roku rokem roky let год года лет år vuosi vuotta yıl év éve ani років роки рік χρόνια έτη 年 年間 년 سنة سنوات שנים साल năm ปี tahun godina godine anys any`

// dateAfter are the words that stand behind a span of time and say that it has
// passed, or is to come; dateBefore those that stand before it.
const (
	dateAfter = `- ago fa geleden temu назад тому sedan siden sitten önce evvel 前 之前 전 atrás zpět späť lalu trước ก่อน ที่แล้ว ที่ผ่านมา earlier zurück ezelőtt napja perce órája hete éve tagasi पहले
+ later sonra 后 後 之后 之後 후 päästä içinde`
	dateBefore = `- vor hace há y před pred acum prije pre преди πριν منذ قبل לפני prieš pirms depuis fa
+ in dans dentro en za через over om tra em daqui`
)

// dateDays are words for days near Ref, and how far away the days are.
const dateDays = `0 today|heute|aujourd|hoy|oggi|hoje|vandaag|dzisiaj|dziś|сегодня|dnes|idag|i dag|tänään|bugün|ma|azi|astăzi|сьогодні|днес|σήμερα|danas|danes|šiandien|šodien|täna|hari ini|avui|วันนี้|今日|今天|오늘|اليوم|היום|आज|hôm nay
-1 yesterday|gestern|hier|ayer|ieri|ontem|gisteren|wczoraj|вчера|včera|včeraj|igår|i går|eilen|dün|tegnap|вчора|χθες|χτες|jučer|juče|vakar|eile|kemarin|ahir|เมื่อวาน|เมื่อวานนี้|昨日|昨天|어제|أمس|אתמול|hôm qua
-2 day before yesterday|vorgestern|avant - hier|avant hier|anteayer|antier|anteontem|eergisteren|przedwczoraj|позавчера|předevčírem|förrgår|i förrgår|i forgårs|forgårs|toissapäivänä|evvelsi gün|tegnapelőtt|alaltăieri|позавчора|l ' altro|altro ieri|一昨日|おととい|前天|그저께|그제|prekjučer
1 tomorrow|morgen|demain|mañana|domani|amanhã|jutro|завтра|zítra|zajtra|imorgon|i morgon|i morgen|huomenna|yarın|holnap|mâine|утре|αύριο|sutra|jutri|rytoj|besok|demà|พรุ่งนี้|明日|明天|내일|غدا|מחר|ngày mai`

// dateNow are words for the moment itself.
const dateNow = "now jetzt soeben eben maintenant instant ahora adesso agora nu teraz сейчас только nyt şimdi acum most зараз τώρα 刚刚 剛剛 たった今 방금 الآن עכשיו अभी"

// dateOnes are the words for one.
const dateOnes = "a an one ein eine einem einer einen eines un una uno une um uma een één en ett et jeden jedną один одну yksi bir egy o un' ένα μία jedan jednu"

// dateBetween may stand between the day, the month and the year.
const dateBetween = `. , - – ‐ ‑ / ' ’ ‘ ª º ° ( : of the de del di do da den der d le la l o e th st nd rd er re ter го е й ого m a any i il on dne ten dia ngày ที่ พ.ศ. ב`

// dateZones are zones by their offset from UTC in minutes. Of those that share
// an abbreviation it is the one that most pages mean.
const dateZones = `0 z utc gmt wet ut utc0
60 cet mez bst west wat hnec cem
120 cest mesz eet cat sast hec ist-il
180 eest msk мск trt eat oesz
210 irst
240 gst amt azt samt
270 aft
300 pkt uzt yekt
330 ist
345 npt
360 bdt almt
390 mmt
420 ict wib krat
480 hkt sgt myt pht awst wita ulat
540 jst kst wit
570 acst
600 aest chst vlat
630 acdt
660 aedt sbt
720 nzst fjt
780 nzdt
-150 ndt
-180 art brt adt clst uyt
-210 nst
-240 edt ast clt bot vet
-300 est cdt cot pet ect hae
-360 cst mdt
-420 mst pdt
-480 pst akdt
-540 akst
-600 hst`

// dateParts are the signs behind a year, a month and a day, datePrefixed the
// words before them.
var dateParts = map[string]byte{"年": 'y', "月": 'm', "日": 'd', "号": 'd', "號": 'd', "년": 'y', "월": 'm', "일": 'd'}

var datePrefixed = map[string]byte{"năm": 'y', "tháng": 'm', "ngày": 'd'}

// dateHalves are the halves of the day; true: the second one.
var dateHalves = map[string]bool{"am": false, "pm": true, "a": false, "p": true, "上午": false, "下午": true, "午前": false, "午後": true, "早上": false, "凌晨": false,
	"晚上": true, "中午": true, "오전": false, "오후": true, "πμ": false, "μμ": true, "ص": false, "م": true, "öö": false, "ös": true, "صباحا": false, "مساء": true, "पूर्वाह्न": false, "अपराह्न": true}

// wordTable holds the words of dates, made ready to look up.
type wordTable struct {
	months                          map[string]int
	units                           map[string]rune
	after, before, days             map[string]int
	zones                           map[string]int
	between, ones, now, unspaced    map[string]bool
	hours, minutes, seconds, clocks map[string]bool
	parts, prefixed                 map[string]byte
	halves                          map[string]bool
}

var words = sync.OnceValue(func() *wordTable {
	w := &wordTable{
		months: make(map[string]int, 1200), units: make(map[string]rune, 500), after: map[string]int{}, before: map[string]int{},
		days: map[string]int{}, zones: map[string]int{}, unspaced: map[string]bool{}, parts: dateParts, prefixed: datePrefixed, halves: dateHalves,
		between: set(dateBetween), ones: set(dateOnes), now: set(dateNow),
		hours: set("h uhr hs ч hod godz 時 时 点 點 시"), minutes: set("m min мин 分 분"), seconds: set("s sec sek сек 秒 초"),
		clocks: set("kl klo um at ob ore alle à às las om saat в u o hod kell"),
	}
	for line := range strings.SplitSeq(monthNames, "\n") {
		month := 0
		for names := range strings.SplitSeq(line, "|") {
			month++
			for name := range strings.FieldsSeq(names) {
				enter(w.months, name, month)
				enter(w.months, fold(name), month)
			}
		}
	}
	for line := range strings.SplitSeq(dateUnits, "\n") {
		for _, word := range strings.Fields(line)[1:] {
			enter(w.units, word, rune(line[0]))
			enter(w.units, fold(word), rune(line[0]))
		}
	}
	w.sided(dateAfter, w.after)
	w.sided(dateBefore, w.before)
	for line := range strings.SplitSeq(dateDays, "\n") {
		n, list, _ := strings.Cut(line, " ")
		days := number(n)
		for name := range strings.SplitSeq(list, "|") {
			enter(w.days, name, days)
		}
	}
	for line := range strings.SplitSeq(dateZones, "\n") {
		fields := strings.Fields(line)
		for _, name := range fields[1:] {
			enter(w.zones, name, number(fields[0]))
		}
	}
	w.collectUnspaced()
	return w
})

// enter keeps the first value of a key.
func enter[V any](m map[string]V, key string, v V) {
	if _, ok := m[key]; !ok {
		m[key] = v
	}
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		m[word] = true
	}
	return m
}

// number reads a number of the tables above.
func number(s string) int {
	n, _ := Int(s)
	return int(n)
}

func (w *wordTable) sided(list string, into map[string]int) {
	for line := range strings.SplitSeq(list, "\n") {
		sign := -1
		if line[0] == '+' {
			sign = 1
		}
		for _, word := range strings.Fields(line)[1:] {
			enter(into, word, sign)
		}
	}
}

// collectUnspaced notes the words of scripts without blanks, for lex.
func (w *wordTable) collectUnspaced() {
	note := func(word string) {
		if unspaced(after(word, 0)) {
			w.unspaced[word] = true
		}
	}
	keys(w.months, note)
	keys(w.units, note)
	keys(w.after, note)
	keys(w.days, note)
	keys(w.now, note)
	keys(w.halves, note)
	keys(w.parts, note)
	for _, word := range []string{"令和", "平成", "昭和", "民國", "民国", "พ.ศ.", "時", "时", "点", "點", "시"} {
		w.unspaced[word] = true
	}
}

func keys[V any](m map[string]V, f func(string)) {
	for k := range m {
		f(k)
	}
}

// month returns the month that a word names, 0 for none.
func (w *wordTable) month(word, language string) int {
	if len(word) < 2 {
		return 0
	}
	if language != "" {
		if m, ok := monthsOf[strings.ToLower(clipTo(language, 2))][word]; ok {
			return m
		}
	}
	if m, ok := w.months[word]; ok {
		return m
	}
	return w.months[fold(word)]
}

// day returns how far from Ref the day lies that the words at token i name.
func (w *wordTable) day(toks []token, i int, language string) (days int, ok bool) {
	for n := min(3, len(toks)-i); n > 0; n-- {
		name := toks[i].word
		for _, t := range toks[i+1 : i+n] {
			name += " " + t.word
		}
		if days, ok = w.days[name]; ok {
			lang := strings.ToLower(clipTo(language, 2))
			foreign := name == "hier" && (lang == "de" || lang == "nl") || name == "ma" && lang != "hu" ||
				name == "morgen" && lang == "en" || name == "eile" && lang == "de" || name == "jutro" && lang != "pl" && lang != ""
			return days, !foreign
		}
	}
	return 0, false
}

// fold takes the accents off a word.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		if r == 'ı' {
			return 'i'
		}
		return r
	}, norm.NFD.String(s))
}

// englishMonths puts the English name, long or short, in place of a month's.
func englishMonths(s string, long bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		end := i
		for end < len(s) {
			r, size := utf8.DecodeRuneInString(s[end:])
			if !unicode.IsLetter(r) && !unicode.IsMark(r) {
				break
			}
			end += size
		}
		month := words().month(strings.ToLower(s[i:end]), "")
		switch {
		case month > 0 && long:
			b.WriteString(englishMonth[month-1])
		case month > 0:
			b.WriteString(englishMonth[month-1][:3])
			if end < len(s) && s[end] == '.' {
				end++
			}
		case end == i:
			_, size := utf8.DecodeRuneInString(s[i:])
			end += size
			fallthrough
		default:
			b.WriteString(s[i:end])
		}
		i = end
	}
	return b.String()
}

var englishMonth = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
