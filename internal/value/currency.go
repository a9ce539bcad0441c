package value

import (
	"strings"
	"sync"
)

// isoCurrencies are the codes of ISO 4217 in use, and those lately withdrawn
// that pages still show.
const isoCurrencies = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK " +
	"DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT " +
	"LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD " +
	"SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG ZWL"

// currencySigns are the signs and names that are written as they stand here,
// by code; "-" for those that name no single currency.
const currencySigns = `USD $ US$ U$S $US USD$ ＄ $USD US-$ U.S.$
EUR € EUR€ €EUR
GBP £ GB£ ￡ UK£ stg£
JPY ¥ ￥ JP¥ 円
CNY 元 圆 CN¥ RMB¥ 块 人民币 RMB
INR ₹ Rs Rs. ₨ Re. रु रु. INR₹
BRL R$ BRL$
CAD C$ CA$ CAD$ $CA $CAD Can$ CDN$
AUD A$ AU$ AUD$ $AU $AUD
NZD NZ$ $NZ NZD$ $NZD
HKD HK$ 港币 港幣 港元 HKD$
TWD NT$ NTD 台币 台幣 新台幣 NT
SGD S$ SG$ SGD$
MXN MX$ Mex$ MXN$ $MXN M.N. MN$
ARS AR$ ARS$ $ARS
CLP CLP$ CL$ $CLP
COP COL$ CO$ COP$ $COP
UYU $U UY$ UYU$
DOP RD$
TTD TT$
JMD J$ JA$
BBD BBD$ BDS$
NAD N$
FJD FJ$
XCD EC$
BOB $b
CHF Fr. SFr. SFr Fr CHF. sFr. sfr. Franken
PLN zł zl zł. PLN. ZŁ Zł
CZK Kč kč Kč. Kcs KČ
HUF Ft ft Ft. FT HUF.
BGN лв лв. ЛВ lv. leva
RON lei Lei LEI leu RON. Leu
RUB ₽ руб руб. р. р Руб РУБ рублей рубля рубль Р RUR
UAH ₴ грн грн. ГРН гривень гривня гривны гривен
KZT ₸ тг тг. тенге
BYN р.бел бел.руб. руб.бел
KRW ₩ 원 ￦
THB ฿ บาท THB.
TRY ₺ TL YTL tl
ILS ₪ ש״ח ש"ח שח NIS
VND ₫ đ đồng VNĐ vnđ Đ
PHP ₱ PHP₱ Php
NGN ₦
GHS ₵ GH₵ GH¢ GHC
CRC ₡
PYG ₲ Gs.
LAK ₭
MNT ₮ төг төгрөг
KHR ៛
BDT ৳ Tk Tk. টাকা BDT.
GEL ₾ ლარი
AZN ₼ ман.
AMD ֏ դր. դր
IDR Rp Rp. RP
MYR RM
LKR රු රු. SLRs
PKR PKRs
NPR रू NRs NRs.
AED د.إ د.إ. درهم Dhs Dhs. Dh AED.
SAR ر.س ر.س. ريال SR SAR. ⃁
QAR ر.ق ر.ق. QR
OMR ر.ع. ر.ع
KWD د.ك د.ك. KD K.D.
BHD د.ب د.ب. .د.ب BD
JOD د.ا د.ا. JD JD.
TND د.ت د.ت. DT
DZD د.ج د.ج. DA
MAD د.م. د.م DHS MAD.
EGP ج.م ج.م. جنيه LE L.E. E£ EGP. L.E
IQD د.ع د.ع.
LBP ل.ل ل.ل. LL
IRR ریال
PEN S/. S/ s/. s/ S/.PEN
PAB B/.
GTQ Q
VES Bs.S Bs.D
ZAR R
KES Ksh KSh Kshs KES. Ksh. KSh. Sh.
UGX USh
TZS TSh TZS.
RSD din din. дин дин. РСД RSD.
MKD ден ден. MKD.
ALL Lekë
ISK ISK.
- kr kr. Kr Kr. KR ,-kr Bs Bs. ﷼ FCFA F.CFA CFA F Br Br. CFA. pesos peso Pesos ₿ ¢kr сом`

// currencyWords are written in any case; _ stands for a blank.
const currencyWords = `USD usd dollar dollars us_dollar us_dollars u.s._dollars usd.
EUR eur euro euros eur. eu евро ευρώ
GBP gbp pound pounds sterling gbp.
JPY jpy yen
CNY cny chinese_yuan yuan renminbi rmb
INR inr indian_rupees rupees rupee rs rs. rupees.
CHF chf swiss_francs schweizer_franken
CAD cad canadian_dollars
AUD aud australian_dollars
NZD nzd new_zealand_dollars
SEK sek svenska_kronor kronor sek.
NOK nok norske_kroner nok.
DKK dkk danske_kroner dkk.
PLN pln złotych złoty złote zloty zlotych
CZK czk korun koruna koruny
HUF huf forint
RUB rub rubles rubel
BRL brl reais
MXN mxn mexican_pesos pesos_mexicanos
KRW krw
SGD sgd
HKD hkd hong_kong_dollars
ZAR zar
TRY türk_lirası lira lirası
THB thb baht
IDR idr rupiah
VND vnd
PHP php
MYR myr ringgit
ILS ils shekel shekels
UAH uah
RON ron
BGN bgn
AED aed
SAR sar
NGN ngn naira
KES kes
EGP egp
PKR pkr pakistani_rupees
BDT bdt taka
ARS ars
CLP clp
COP cop
PEN pen soles`

type currencies struct {
	exact map[string]string // as it stands
	lower map[string]string // in any case
}

var currencyTable = sync.OnceValue(func() currencies {
	t := currencies{make(map[string]string, 600), make(map[string]string, 150)}
	for code := range strings.SplitSeq(isoCurrencies, " ") {
		t.exact[code] = code
	}
	for text, into := range map[string]map[string]string{currencySigns: t.exact, currencyWords: t.lower} {
		for line := range strings.SplitSeq(text, "\n") {
			words := strings.Fields(line)
			code := words[0]
			if code == "-" {
				code = ""
			}
			for _, w := range words[1:] {
				into[strings.ReplaceAll(w, "_", " ")] = code
			}
		}
	}
	return t
})

// currencyOf returns the code of a sign or a name; ok with an empty code: it
// is one, of several currencies.
func currencyOf(sign string) (code string, ok bool) {
	t := currencyTable()
	if code, ok = t.exact[sign]; ok {
		return code, true
	}
	if len(sign) < 2 {
		return "", false
	}
	code, ok = t.lower[strings.ToLower(sign)]
	return code, ok
}

// leftOnly are signs that mean something else behind a number, rightOnly those
// that do before one.
func leftOnly(sign string) bool {
	switch sign {
	case "R", "Q", "BD", "LL", "DA", "NT", "$b", "B/.", "S/", "s/":
		return true
	}
	return false
}

func rightOnly(sign string) bool {
	switch sign {
	case "р", "Р", "F", "đ", "Đ", "tl", "ft", "FT", "Ft", "块", "sar", "pen", "cop":
		return true
	}
	return false
}
