// Prints what Go answers to thousands of calls, one JSON row a line; see ../README.md.
// An argument 64-bit seed makes other rows, for fuzzing.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

var (
	out  = bufio.NewWriter(os.Stdout)
	r    = rand.New(rand.NewSource(1))
	seen = map[string]bool{}
)

// typed writes a value so that a float stays a float: {"f64": "1"}.
func typed(v any) any {
	switch v := v.(type) {
	case float64:
		return map[string]any{"f64": strconv.FormatFloat(v, 'g', -1, 64)}
	case []any:
		l := []any{}
		for _, e := range v {
			l = append(l, typed(e))
		}
		return l
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[k] = typed(e)
		}
		return m
	}
	return v
}

func row(call string, args []any, want string) {
	b := &strings.Builder{}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	a := make([]any, len(args))
	for i := range args {
		a[i] = typed(args[i])
	}
	if err := e.Encode([]any{call, a, want}); err != nil {
		panic(err)
	}
	// Long rows are wide paddings, which teach nothing new.
	if b.Len() < 400 && !seen[b.String()] {
		seen[b.String()] = true
		out.WriteString(b.String())
	}
}

func answer(v any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	}
	return fmt.Sprint(v)
}

func pick[T any](l []T) T { return l[r.Intn(len(l))] }

var texts = []string{"", "a", "hello", "héllo wörld", "日本語", "tab\tnl\n\"q\"", "back`tick", "\x00\x1f\x7f", "\u2028<&>\u2029", "😀", "ſKK", "ßŸǅ", "\ufeffx", "\u0378\ue000", "a\\b", "İıΣς", "-", "5", "%d"}
var ints = []int64{0, 1, -1, 7, 42, -42, 65, 255, 1000, 8364, 128512, 0xd800, 0x110000, 1 << 31, math.MaxInt64, math.MinInt64}
var floats = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 0.5, 1.5, 2.5, 0.25, 3.14159, 100, 1e5, 123456, 1e6, 1234567, 1e20, 1e21, 1e22, 123456789, 1e-4, 1e-5, 1e-6, 1e-7, 1.5e-9, 1e100, -2.5e-300, 5e-324, 2.2250738585072014e-308, math.MaxFloat64, 0.000123456, 99999.5, 999999.5, 1.0 / 3, 8, 1 << 53, 4611686018427387904}

func float() float64 {
	switch r.Intn(4) {
	case 0:
		for {
			f := math.Float64frombits(r.Uint64())
			if !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	case 1:
		return math.Round(r.NormFloat64()*1e6) / math.Pow10(r.Intn(7))
	}
	return pick(floats)
}

func value(depth int) any {
	n := 10
	if depth > 2 {
		n = 7
	}
	switch r.Intn(n) {
	case 0:
		return nil
	case 1:
		return r.Intn(2) == 0
	case 2, 3:
		return pick(ints)
	case 4:
		return float()
	case 5, 6:
		return pick(texts)
	case 7, 8:
		l := []any{}
		for i := r.Intn(4); i > 0; i-- {
			l = append(l, value(depth+1))
		}
		return l
	}
	m := map[string]any{}
	for i := r.Intn(4); i > 0; i-- {
		m[pick(texts)] = value(depth + 1)
	}
	return m
}

const verbs = "vvvvTdsqxXoObeEfFgGtcUwzp%!é"

func hasPointer(f string, args []any) bool {
	if !strings.Contains(f, "p") {
		return false
	}
	for _, a := range args {
		switch a.(type) {
		case []any, map[string]any:
			return true
		}
	}
	return false
}

func format() string {
	b := &strings.Builder{}
	for i := 1 + r.Intn(3); i > 0; i-- {
		b.WriteString(pick([]string{"", "", "x", " é ", "%%"}))
		b.WriteString("%")
		for r.Intn(2) == 0 {
			b.WriteString(pick([]string{"#", "0", "+", "-", " "}))
		}
		if r.Intn(8) == 0 {
			b.WriteString(pick([]string{"[1]", "[2]", "[3]", "[0]", "[", "[]", "[x]", "[9]", "[-1]", "[1", "[2000000]"}))
		}
		switch r.Intn(6) {
		case 0:
			b.WriteString(pick([]string{"1", "5", "12", "20", "3000000"}))
		case 1:
			b.WriteString(pick([]string{"*", "[1]*", "8"}))
		}
		switch r.Intn(5) {
		case 0:
			b.WriteString(pick([]string{".", ".0", ".1", ".3", ".10", ".20", ".*", ".[2]*", ".-1"}))
		}
		if r.Intn(12) == 0 {
			b.WriteString(pick([]string{"[1]", "[2]", "[7]"}))
		}
		if r.Intn(30) != 0 {
			v := []rune(verbs)
			b.WriteRune(pick(v))
		}
	}
	return b.String()
}

func sprintf(f string, args ...any) {
	if !hasPointer(f, args) {
		row("sprintf", append([]any{f}, args...), fmt.Sprintf(f, args...))
	}
}

func fmts(n int) {
	for _, v := range "vTdsqxXoObeEfFgGtcUwzp" {
		for _, fl := range []string{"", "+", "#", "8", "-8", "08", ".3", " "} {
			for _, a := range []any{nil, true, int64(-42), 2.5, "héy", []any{int64(1), nil, "a"}, map[string]any{"b": 1.5, "a": nil}} {
				sprintf("%"+fl+string(v), a)
			}
		}
	}
	for i := 0; i < n; i++ {
		args := []any{}
		for j := r.Intn(3); j >= 0; j-- {
			args = append(args, value(0))
		}
		sprintf(format(), args...)
	}
	for i := 0; i < n/20; i++ {
		args := []any{value(0), value(0)}
		row("sprint", args, fmt.Sprint(args...))
	}
}

func number() string {
	s := pick([]string{"", "", "-", "+", " "})
	d := func(n int) string {
		b := ""
		for i := r.Intn(n); i > 0; i-- {
			b += strconv.Itoa(r.Intn(10))
		}
		return b
	}
	switch r.Intn(8) {
	case 0:
		return s + d(22)
	case 1:
		return s + d(22) + "." + d(25)
	case 2:
		return s + d(5) + pick([]string{".", ""}) + d(5) + pick([]string{"e", "E", "e+", "e-"}) + d(4)
	case 3:
		return s + "0x" + strconv.FormatUint(r.Uint64()>>uint(r.Intn(64)), 16) + pick([]string{"", ".", ".8", ".0000000000000000001"}) + pick([]string{"p", "p-", "P+", ""}) + d(5)
	case 4:
		return s + d(4) + "_" + d(4) + pick([]string{"", "e1_0", ".5_"})
	case 5:
		return strconv.FormatFloat(float(), pick([]byte{'e', 'f', 'g', 'x'}), -1, 64)
	case 6:
		return s + pick([]string{"inf", "Infinity", "NaN", "nan", "INF", "infin", "0x", "0x_1p1", ".", "e5", "1e", "0b1", "1e99999999999999999999", "9223372036854775807", "9223372036854775808", "0x1p-1074", "0x1p-1075", "0x1.8p-1075", "0x1p1024", "0x1.fffffffffffff8p1023", "0x1.fffffffffffff7p1023", "0_1", "_1", "1_"})
	}
	return pick(texts)
}

func strconvs(n int) {
	for _, s := range []string{"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False", "", "tRUE", "yes", " 1", "é\x01"} {
		v, err := strconv.ParseBool(s)
		row("bool", []any{s}, answer(v, err))
	}
	for i := 0; i < n; i++ {
		s := number()
		v, err := strconv.ParseFloat(s, 64)
		row("float", []any{s}, answer(v, err))
		if i%3 == 0 {
			v, err := strconv.ParseInt(s, 10, 64)
			row("int", []any{s}, answer(v, err))
		}
		f := float()
		verb := pick([]byte{'b', 'e', 'E', 'f', 'g', 'G', 'x', 'X'})
		prec := r.Intn(30) - 5
		if prec < 0 {
			prec = -1
		}
		row("format", []any{f, string(verb), int64(prec)}, strconv.FormatFloat(f, verb, prec, 64))
	}
	for i := 0; i < n/2; i++ {
		s := string(rune(r.Intn(0x3000))) + pick(texts) + string(rune(r.Intn(0x20000)))
		row("quote", []any{s}, strconv.Quote(s))
		row("upper", []any{s}, strings.ToUpper(s))
		row("lower", []any{s}, strings.ToLower(s))
	}
}

var jsons = []string{`{"a":[1,2.5e3,null,true,"x"],"b":{"c":"\u00e9\ud83d\ude00\ud800"}}`, `[1,"a",{"k":[]}]`, `null`, `"s"`, `12`, `[1e400]`, `{"a":1,"a":2}`, ` [ 1 , 2 ] `, `{}`, `[]`, `tru`, `nul`, `falsy`, `{"a" 1}`, `{a:1}`, `[1,]`, `{"a":1,}`, `[01]`, `[-]`, `[1.]`, `[1e]`, `[1e+x]`, `"\x"`, `"\u12g4"`, "\"\n\"", `{"a":1} x`, `é`, `'a'`, `[1`, `{"a":`, `"abc`, `[-0, 0.1, 1e-7]`}

func jsonRows(n int) {
	for i := 0; i < n; i++ {
		v := value(0)
		b, err := json.Marshal(v)
		row("marshal", []any{v}, answer(string(b), err))
	}
	for i := 0; i < n; i++ {
		s := pick(jsons)
		if i < len(jsons) {
			s = jsons[i]
		} else if b := []byte(s); len(b) > 0 {
			for j := r.Intn(3); j >= 0; j-- {
				b[r.Intn(len(b))] = pick([]byte(`{}[]",:0123456789.eE+-\tu "'x`))
			}
			s = strings.ToValidUTF8(string(b), "?")
		}
		m := map[string]any{}
		err := json.Unmarshal([]byte(s), &m)
		row("object", []any{s}, again(m, err))
		l := []any(nil)
		err = json.Unmarshal([]byte(s), &l)
		row("array", []any{s}, again(l, err))
		b64 := base64.StdEncoding.EncodeToString([]byte(s))
		if c := []byte(b64); i%2 == 0 && len(c) > 0 {
			for j := r.Intn(3); j >= 0; j-- {
				c[r.Intn(len(c))] = pick([]byte("=A+/\n\r-_ z"))
			}
			b64 = string(c)[:len(c)-r.Intn(2)]
		}
		d, err := base64.StdEncoding.DecodeString(b64)
		row("base64", []any{b64}, answer(fmt.Sprintf("%x", d), err))
	}
}

func again(v any, err error) string {
	b, _ := json.Marshal(v)
	return answer(string(b), err)
}

func quantities(n int) {
	d := func(n int) string {
		b := ""
		for i := r.Intn(n); i > 0; i-- {
			b += strconv.Itoa(r.Intn(10))
		}
		return b
	}
	for i := 0; i < n; i++ {
		k := pick([]int{4, 4, 12, 25, 40})
		s := pick([]string{"", "", "", "-", "+", "0", "00"}) + d(k)
		if r.Intn(2) == 0 {
			s += "." + d(k)
		}
		s += pick([]string{"", "", "n", "u", "m", "k", "K", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "e-3", "E9", "e-30", "e20", "e+2", "e", "e400", "e-400", "i", "x", "mm", "e3000", " ", "Zi"})
		q, err := resource.ParseQuantity(s)
		row("quantity", []any{s}, answer(q.AsApproximateFloat64(), err))
	}
}

var atoms = []string{"a", "b", ".", "é", "K", "k", `\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\b`, `\B`, "^", "$", `\A`, `\z`, "[a-z]", "[^a]", "[]a]", "[^]a]", "[a-]", `[\d_-]`, "[[:alpha:]]", "[[:^digit:]x]", "[[:foo:]]", "[[:alpha]", "[z-a]", "[a", "[", `\pL`, `\p{Greek}`, `\P{Lu}`, `\p{^Nd}`, `\pZz`, `\p{foo}`, `\p{`, `\p`, `\p{Any}`, `\p{letter}`, `[\p{Lu}\d]`, `[^\W\p{Han}]`, "(", ")", "(a)", "(?:b)", "(?P<n>a)", "(?<m>b)", "(?P<n", "(?P<>a)", "(?P<a-b>c)", "(?i)", "(?i:K)", "(?s:.)", "(?m)", "(?U)", "(?-i)", "(?i-s:a)", "(?x)", "(?", "(?=a)", "(?-", "(?i--s)", "|", "*", "+", "?", "??", "*?", "**", "+?", "{2}", "{2,}", "{2,3}?", "{,2}", "{0}", "{1001}", "{3,2}", "{99999999999}", "{a", "{", "}", `\`, `\Q.*\E`, `\Qa`, `\E`, `\C`, `\1`, `\07`, `\101`, `\8`, `\x41`, `\x{1F600}`, `\x{110000}`, `\x4`, `\x`, `\xg1`, `\x{}`, `\.`, `\_`, `\q`, `\é`, `\a`, `\n`, "\n", " ", "_", "-", "#", "&&", "~~", "[a&&b]", "[--a]", "(|a)", "(a|b|)", "()"}
var subjects = []string{"", "a", "ab", "ba", "aaa", "abab", "hello world 42", "Kk\u212a", "ſs", "é", "aé", "日本", "a\nb", "x_1-2.*", "αΩ", "A1", "😀", "{2}", "my-1-string", "a&&b #~"}

func regexps(n int) {
	one := func(p, s string) {
		re, err := regexp.Compile(p)
		if err != nil {
			row("regexp", []any{p, s}, "error: "+err.Error())
			return
		}
		w := &strings.Builder{}
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.Encode(re.FindStringSubmatch(s))
		row("regexp", []any{p, s}, strings.TrimSpace(w.String()))
	}
	for _, p := range []string{"(a{10}){100}", "(a{10}){101}", "((a{10}){10}){10}", "((a{10}){10}){11}", "(?:a{1000}){2}", "(a{0}){1000}", "a{1000}", "(x*)*", "(a*)+", "(|a)*", "(|a)+", "(a|b)*?c", "(?i)straße", "(?i)ſ", "(?i)[^k]", "(?i)\\W", "(?i)\\w", strings.Repeat("(", 100) + strings.Repeat(")", 100), strings.Repeat("(", 1001) + strings.Repeat(")", 1001), "(?:a(?:b(?:c{100}){5}){5})"} {
		for _, s := range []string{"", "aaaaaaaaaaaa", "abcK", "STRASSE straße", "\u212as"} {
			one(p, s)
		}
	}
	for _, p := range atoms {
		for _, s := range subjects {
			if r.Intn(4) == 0 {
				one(p, s)
			}
		}
	}
	for i := 0; i < n; i++ {
		p := ""
		for j := 1 + r.Intn(5); j > 0; j-- {
			p += pick(atoms)
		}
		one(p, pick(subjects))
	}
}

func main() {
	scale := 1
	if len(os.Args) > 1 {
		seed, _ := strconv.ParseInt(os.Args[1], 10, 64)
		r = rand.New(rand.NewSource(seed))
		scale = 30
	}
	fmts(1500 * scale)
	strconvs(300 * scale)
	jsonRows(250 * scale)
	quantities(700 * scale)
	regexps(1500 * scale)
	out.Flush()
}
