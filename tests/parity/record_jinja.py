"""Records how Jinja2, configured as transformers does for chat templates, renders many expressions.

  python tests/parity/record_jinja.py       # rewrites tests/parity/fixtures/jinja/recorded.json

`core/data/src/template/jinja/tests.rs` checks cadre against the recording. An expression that Jinja2 refuses is
recorded as `null`: cadre must refuse it too. `EXPRESSIONS` are put between `{{` and `}}`; `TEMPLATES` are complete.
"""

import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

OUT = pathlib.Path(__file__).parent / "fixtures" / "jinja" / "recorded.json"

VARIABLES = {
    "c": "  Héllo a:b:c </think> end.\n",
    "t": "one\ntwo\r\nthree",
    "name": "ab cd",
    "n": 7,
    "x": 2.5,
    "yes": True,
    "no": False,
    "nil": None,
    "empty": "",
    "list": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "d": {"zeta": 1, "alpha": "x", "Mid": [True, None]},
    "html": "<a href=\"x\">B & 'c'</a>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_generation_prompt": True,
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Say \"sea\" & größer"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\na shore"},
        {"role": "user", "content": "again"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "get_weather", "description": "Weather of <a> city & more",
         "parameters": {"type": "object", "properties": {"city": {"type": "string"},
                        "days": {"type": "integer", "default": 1, "scale": 0.5}}, "required": ["city"]}}},
    ],
}

EXPRESSIONS = r"""
c.strip()
c.strip('\n').lstrip()
c.rstrip('\n ')
c.lstrip(' ')
c.strip(none)
'\x1c\x1fa\x1c'.strip()
'\u200ba\u3000'.strip()
c.split('</think>')[-1].lstrip('\n')
c.split('</think>')[0].split('<think>')[-1]
c.split(':', 1)[1]
c.rsplit(':', 1)[0]
c.rsplit(':', 1)
c.rsplit()
'a,b,c'.split(',', maxsplit=1)
'a,b,c'.split(sep=',')
' a  b '.split()
' a  b  c '.split(none, 1)
'a b c'.split(maxsplit=1)
'abc'.split('')
'a\x1cb'.split()
''.split()
''.split(',')
c.strip().startswith(('Hé','x'))
c.startswith('  H')
c.startswith('H', 2)
'abcdef'.startswith('c', 2, 4)
'ab'.endswith(('b','c'))
'abc'.endswith('b', 0, 2)
c.strip().removeprefix('Hé')
c.removesuffix('.\n')
c.partition(':')[2]
c.partition(':')
c.rpartition(':')
'abc'.partition('x')
'{}-{}'.format(1, c.strip())
'{0}{1}{0}'.format('a', 'b')
'{a:>5}|{b:<4}|{c:^5}'.format(a=1, b='x', c='y')
'{:.2f} {:05d} {:,} {:x} {!r}'.format(3.14159, 42, 1234567, 255, 'q')
'{d[alpha]}'.format(d=d)
'{:%}'.format(0.25)
'%s|%03d' % (c.strip(), 7)
'%s' % 'a'
'%s and %s' % ('a', [1, 'b'])
'%r %5.1f %-5s| %%' % ('a', 2.25, 'b')
'%x %o %e' % (255, 8, 12345.678)
'%(a)s' % {'a': 1}
'%d' % 3.9
'%s' % none
'%s' % true
'%s %s' % ('a',)
'%s-%02d' | format('a', 3)
'%(k)s' | format(k='v')
'</think>' in c
'z' not in c
'a' in {'a':1}
1 in [1,2]
1 in (1,2)
'role' in messages[0]
true
none
1 == 1
[1, 'a', none, true]
[1.0, 2.50, 'it\'s', "q\"q", 'both\'"', 'tab\t', 'é\n', '\\']
{'a': 'b'}
{'a': {'b': [1, (2,), ()]}}
d
messages[1]
(1, 'a')
(1,)
()
1.0 * 2
7 // 2
-7 // 2
-7 % 3
7 % -3
7.5 // 2
7 / 2
6 / 2
2 ** 3
2 ** -1
2 ** 70
2 ** 0.5
-2 ** 2
1e3
1e16
1e22
1.5e-7
0.1 + 0.2
1e-5
123456789.123456789
1.0e15
x
x * 2
n / 2
10 ** 15 + 0.5
1_000
0x1f
0b101
true + 1
'a' + 'b'
'a' + 1
[1] + [2]
(1,) + (2,)
'ab' * 2
3 * 'ab'
[0] * 3
'ab' * -1
'x' ~ (1 == 1)
'a' ~ none
'a' ~ 1.0 ~ [1]
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
[1, 2] < [1, 3]
1 == 1.0
'1' == 1
none == false
true == 1
not ''
not none and 1
'a' or 'b'
'' or 'b'
'a' and 'b'
none or []
0 and 1
c[3]
c[-2]
c[2:7]
c[::-1]
c[:-1]
c[7:2:-1]
list[::-1]
list[1:]
list[-1:]
messages[1:][0].role
messages[-1]['content']
list[5]
c[500]
'abc'[1:100]
(1, 2, 3)[1:]
(1, 2)[1]
('a' if false)
('a' if false else 'b')
nothing_here
m.nothing
d.nothing
d['nothing']
d.nothing.more
d.alpha
d['Mid'][0]
messages.0.role
nothing_here is defined
d.nothing is defined
d.nothing is not defined
d.alpha is undefined
nil is none
nil is defined
nil is not none
d.nothing is none
nothing_here is none
(c is iterable) and (c is string) and (c is not mapping)
(c is sequence) ~ ([1] is sequence) ~ ({} is sequence) ~ (1 is sequence)
(true is boolean) ~ (1 is boolean) ~ (1 is integer) ~ (1.0 is float) ~ (true is number) ~ (true is integer)
(1 is true) ~ (true is true) ~ (0 is false) ~ (false is false)
none is sameas none
1 is sameas true
4 is divisibleby 2
3 is odd
3 is even
('ab' is lower) ~ ('AB' is upper) ~ ('1' is lower)
raise_exception is callable
1 is in [1,2]
1 is eq 1
1 is lt 2
2 is ge 3
'a' is ne 'b'
1 is number
'upper' is filter
'defined' is test
html is escaped
messages is iterable
1 is iterable
d is mapping
messages is mapping
c | length
messages | length
d | length
nothing_here | length
1 | length
c | trim
c | trim('\n')
c | upper
c | lower
'ÀB' | lower
'ß' | upper
'ab cd-ef' | title
"it's john's" | title
'ab cd'.title()
"it's 3rd ab".title()
'ABC' | capitalize
'éA b'.capitalize()
'a\nb' | indent(2)
'a\n\nb' | indent(2, true)
'a\n\nb' | indent(width=2, first=true, blank=true)
'a\nb' | indent('> ')
c | wordcount
(c | list)[-2]
d | list
'abc' | list
[1,2,3] | batch(2) | list
[1,2,3] | batch(2, 'x') | list
[1,2,3,4,5] | slice(2) | list
[1,2,3,4,5] | slice(3, 'x') | list
({'b':1,'a':2} | dictsort)[0][0]
d | dictsort
d | dictsort(true)
{'a': 2, 'b': 1} | dictsort(by='value')
d | dictsort(reverse=true)
2.567 | round(1)
2.5 | round
3.5 | round
2.3 | round(0, 'ceil')
2.7 | round(method='floor')
42 | round
1234 | round(-2)
m is defined
'1' | int
'12x' | int(5)
'0x1f' | int(base=16)
'1.9' | int
3.9 | int
none | int
'x' | int
'1.5' | float
'x' | float
'x' | float(2.5)
1 | string ~ 'x'
none | string
{'b':1,'a':2} | string
1.0 | string
[1,2,3] | sum
[1,2.5] | sum
[] | sum
[{'a':1},{'a':2}] | sum(attribute='a')
[1] | sum(start=5)
[1,2,3] | last
[1,2,3] | first
'abc' | first
[] | first
([3,1] | min) ~ ([3,1] | max)
['b','A'] | min
['b','A'] | max(case_sensitive=true)
[{'a':3},{'a':1}] | min(attribute='a')
[] | max
words | sort
words | sort | join
words | sort(case_sensitive=true)
words | sort(reverse=true)
list | sort
[{'a':2,'b':'x'},{'a':1,'b':'y'}] | sort(attribute='a')
messages | sort(attribute='role') | map(attribute='role') | join(',')
[3,'a'] | sort
['b','B','b','a'] | unique | join
['b','B','b','a'] | unique(case_sensitive=true) | list
messages | map(attribute='role') | unique | list
messages | groupby('role') | list | length
(messages | groupby('role'))[0].grouper
(messages | groupby('role'))[0].list | length
[1,2,3] | reject('odd') | list
[1,2,3] | select('odd') | list
[0,1,'',none,'a'] | select | list
[1,2,3] | select('gt', 1) | list
[1,2,3] | select('in', [1,3]) | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('role', '==', 'user') | map(attribute='content') | join('|')
messages | selectattr('role', 'ne', 'user') | list | length
messages | selectattr('nothing') | list
messages | selectattr('nothing', 'defined') | list
messages | rejectattr('role', 'in', ['system', 'user']) | list | length
[{'a':1},{'b':2}] | rejectattr('a','defined') | list | length
(messages | selectattr('role', 'equalto', 'user') | list | last).content
[{'a':{'b':1}}] | map(attribute='a.b') | list
[{'a':1},{}] | map(attribute='a', default='z') | list
['a','b'] | map('upper') | join(',')
['a ',' b'] | map('trim') | list
[1,2] | map('string') | join('+')
['1','2'] | map('int') | sum
['a','b'] | map('replace', 'a', 'x') | list
messages | map('tojson') | first
['a','b'] | join(', ')
[1, none, true, 2.0] | join('-')
messages | join(', ', attribute='role')
'abc' | join('-')
'one two three four' | truncate(9)
'one two three four' | truncate(9, true)
'one two three four' | truncate(9, true, '..')
'one two three four' | truncate(9, false, '..', 0)
'short' | truncate(10)
'ab' | center(6)
'<a&b>\'"' | e
html | escape
'<a>' | safe
html | striptags
html | forceescape
{'a': 'b', 'c': [1, none]} | pprint
-3 | abs
-3.5 | abs
messages[0] | attr('role')
dict(a=1)['a']
dict(a=1, b='x')
dict([('k', 1)])
dict({'a': 1}, b=2)
namespace(a=1).a
cycler('a','b').next()
joiner(',')()
'aXbX' | replace('X','-',1)
'aXbX' | replace('X','-')
'abc' | replace('', '-')
'abc' | reverse
[1,2] | reverse | list
1 | default('x')
d.nothing | default('dd')
nil | default('dd')
nil | default('dd', true)
empty | default('dd', boolean=true)
nothing_here | d('z')
m.get('x', 'yy')
d.get('nothing', 'yy')
d.get('nothing')
d.get('alpha')
d.nothing or 'z'
{'a': {'b': [1,2]}}.a.b[-1]
d.items() | list
d.keys() | list
d.values() | list
d.items()
d.keys()
d.values()
({'k': 1}.items() | list)[0][0]
d | items | list
{'a':1}.pop('a')
{'a':1}.update({'b':2})
{'a':1}.setdefault('b', 2)
{'a':1}.copy()
d.clear()
[1].append(2)
list.append(4)
list.insert(0, 1)
list.pop()
list.sort()
list.reverse()
[1,2].extend([3])
[1,2].index(2)
[1,2].index(9)
[1,2,1].count(1)
(1,2,1).count(1)
(1,2).index(2)
[1].copy()
dict.fromkeys(['a','b'], 0)
'a\nb\r\nc'.splitlines()
'a\nb\r\nc'.splitlines(true)
'a\n'.splitlines()
'a\x0bb\x0cc\x1cd\x85e\u2028f'.splitlines()
t.splitlines() | join('|')
'7'.zfill(3)
'-7'.zfill(4)
'7'.ljust(3) ~ '|'
'7'.rjust(3, '0')
'ab'.center(7, '*')
'abc'.center(6, '*')
'12'.isdigit()
'½'.isdigit() ~ '½'.isnumeric() ~ '²'.isdigit() ~ '²'.isdecimal()
'ab1'.isalnum()
'ab'.isalpha()
'a b'.isspace()
' \t'.isspace()
'Ab'.islower() ~ 'ab'.islower() ~ 'AB1'.isupper() ~ '1'.isupper()
'Ab Cd'.istitle()
'a1'.isidentifier()
'é'.isascii()
'a\n'.isprintable()
'é' | length
'xxab'.lstrip('x')
'abc'.index('c')
'abc'.index('z')
'abcabc'.find('c')
'abcabc'.rfind('c')
'abcabc'.find('c', 3)
'héllo'.find('l')
'abcabc'.rindex('b')
'abab'.count('ab')
'aaaa'.count('aa')
'abab'.count('')
'abab'.count('a', 1)
'aB'.swapcase()
'SSß'.casefold()
'a\tb'.expandtabs(4)
'a\tb\nabc\td'.expandtabs()
'abc'.upper()
'ABC'.lower()
', '.join(['a','b'])
','.join(words)
','.join('abc')
','.join([1])
c.replace(':', '+', 1)
c.replace(':', '')
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
'abc'.translate({97: 'x'})
'abc'.encode('utf-8')
'a'.nothing()
d.nothing()
{'f': 1}.f
messages | tojson
messages[1] | tojson
tools | tojson(indent=4)
tools[0] | tojson
tools[0].function.parameters | tojson(indent=2)
d | tojson
d | tojson(sort_keys=true)
d | tojson(indent=2, sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(separators=(',', ':'), indent=1)
d | tojson(none, 2)
d | tojson(indent='\t')
d | tojson(indent=0)
c | tojson
'größer 漢 😀' | tojson(ensure_ascii=true)
'größer 漢 😀' | tojson
'\x00\x1f\x7f\u2028</script>' | tojson
1.0 | tojson
1e16 | tojson
1e-7 | tojson
0.1 | tojson
none | tojson
true | tojson
(1, 2) | tojson
[] | tojson(indent=2)
{} | tojson(indent=2)
{'a': [], 'b': {}} | tojson(indent=2)
{1: 2, none: 3, false: 4, 1.5: 6} | tojson
nothing_here | tojson
[c.strip()] | tojson
html | tojson
range(3) | list
range(1, 10, 3) | list
range(3)
range(5, 0, -2) | list
range(3) | length
strftime_now is defined
(c if c is string else '') | length
messages[0]['role'] == 'system' and messages | length > 1
loop is defined
(messages | last)['role'] != 'assistant'
messages[0].content.split('.')[0] ~ '!'
'a' if messages else 'b'
'yes' if {} else 'no'
'yes' if '0' else 'no'
'yes' if 0.0 else 'no'
'yes' if [] else 'no'
'yes' if () else 'no'
'yes' if nothing_here else 'no'
1 if none is none else 2
'a' 'b'
"\u00e9\x41\n\t\\"
'\N{BULLET}'
'\101'
'\q'
'a\
b'
"multi
line"
c | urlencode
'a b&c=ü/' | urlencode
{'a': 'x y', 'b': 1} | urlencode
'see http://x.org' | urlize
'one two three' | wordwrap(7)
1234567 | filesizeformat
[1,2] | random in [1,2]
{'a': 1} | xmlattr
(1, 2) == (1, 2)
[1, 2] == (1, 2)
{'a': 1} == {'a': 1.0}
'a' in 'abc' and 'b' in ['b']
1 in 'abc'
1 in nothing_here
-n
+n
not n
n is not divisibleby(2)
n is not number or true
- x | abs
n + 1 * 2
(n + 1) * 2
n ~ 1 + 2
'a' ~ 'b' | upper
'x' * 3 | length
[1,2,3] | map('multiply', 2) | list
c | nosuchfilter
c is nosuchtest
raise_exception('no')
1 / 0
[1][0].nothing
c.strip().upper().lower()[:3]
c._x
[[1,2],[3]] | map('first') | list
[[1,2],[3]] | sum(start=[])
'%d items' % (messages | length)
'{:>8}'.format('ab') ~ '|'
'{:^7.2f}|'.format(3.14159)
'{}'.format(none) ~ '{}'.format(true) ~ '{}'.format([1,'a'])
'{{}}'.format()
'{} {}'.format(1)
"{:d}".format(3)
"{:s}".format('x')
"{:+d}".format(3)
"{:e}".format(12345.678)
"{:g}".format(0.0001)
"{:b}".format(5)
"{:#x}".format(255)
"{:,.2f}".format(1234.5)
"{:08.3f}".format(3.14159)
"{0.real}".format(3)
""".strip("\n")

TEMPLATES = {
    "for": "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.cycle('a','b') }}{{ m.role }};{% endfor %}",
    "for-unpack": "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "for-else": "{% for m in [] %}x{% else %}none{% endfor %}",
    "for-if": "{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content }};{% endfor %}",
    "for-dict": "{% for k in d %}{{ k }};{% endfor %}",
    "for-string": "{% for ch in 'aé' %}{{ ch }}.{% endfor %}",
    "for-nested": "{% for a in [1,2] %}{% for b in [3,4] %}{{ loop.index }}{{ a }}{{ b }},{% endfor %}{% endfor %}",
    "for-recursive": "{% for i in [[1,[2]],[3]] recursive %}{{ i if i is number else '(' ~ loop(i) ~ ')' }}{% endfor %}",
    "for-none": "{% for m in nil %}x{% endfor %}",
    "for-undefined": "{% for m in nothing %}x{% else %}e{% endfor %}",
    "for-scope": "{% set a = 1 %}{% for i in [1,2] %}{% set a = i + 10 %}{{ a }}{% endfor %}{{ a }}",
    "for-prev": "{% for m in words %}{{ loop.previtem }}-{{ loop.nextitem }}{% if loop.changed(m) %}c{% endif %};{% endfor %}",
    "break": "{% for i in [1,2,3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "continue": "{% for i in [1,2,3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "namespace": "{% set ns = namespace(found=false, k='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.found = true %}{% set ns.k = m.content %}{% endif %}{% endfor %}{{ ns.found }}{{ ns.k }}",
    "namespace-list": "{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m.role] %}{% endfor %}{{ ns.l }}",
    "namespace-dict": "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}",
    "namespace-underscore": "{% set ns = namespace(_a=1) %}{{ ns._a }}",
    "namespace-count": "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "set-block": "{% set a %}x{{ n }}y{% endset %}{{ a | upper }}|{{ a | length }}",
    "set-block-filter": "{% set a | upper %}x{% endset %}{{ a }}",
    "set-unpack": "{% set a, b = (1, 2) %}{{ a }}{{ b }}",
    "set-chain": "{% set loop_messages = messages[1:] if messages[0].role == 'system' else messages %}{{ loop_messages | length }}",
    "if-chain": "{% if n > 10 %}a{% elif n > 5 %}b{% else %}c{% endif %}",
    "macro": "{% macro say(a, b='z', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ say('x') }}{{ say('x', c=1) }}{{ say(b=2, a=1) }}",
    "macro-recursive": "{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "macro-varargs": "{% macro f(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}",
    "macro-caller": "{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}x{% endcall %}",
    "macro-call-arguments": "{% macro f() %}{{ caller(1) }}{% endmacro %}{% call(x) f() %}{{ x }}{% endcall %}",
    "macro-missing": "{% macro f(a, b) %}{{ a }}|{{ b }}|{{ b is defined }}{% endmacro %}{{ f(1) }}",
    "macro-scope": "{% set k = 1 %}{% macro f() %}{{ k }}{% endmacro %}{% set k = 2 %}{{ f() }}",
    "macro-too-many": "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}",
    "trim-blocks": "{% if true %}\nx\n{% endif %}\n  {% for i in [1] %}\n  {{ i }}\n  {% endfor %}\nend",
    "lstrip-blocks": "a\n    {% if true %}\n    b\n    {% endif %}\nc",
    "minus": "a  {%- if true -%}  b  {%- endif -%}  c",
    "minus-print": "a \n {{- 'x' -}} \n b",
    "plus": "a\n  {%+ if true %}b{% endif +%}\nc",
    "comment": "a {# no #} b\n{# line #}\nc {#- x -#} d",
    "raw": "{% raw %}{{ x }}{% endraw %}",
    "trailing-newline": "a\n",
    "trailing-newlines": "a\n\n\n",
    "crlf": "a\r\nb\r\n{% if true %}\r\nc\r\n{% endif %}\r\nd\r\n",
    "cr": "a\rb",
    "leading-newline": "\n\na{{ 'b' }}\n",
    "filter-block": "{% filter upper %}a{{ 'b' }}{% endfilter %}",
    "with": "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}",
    "with-scope": "{% set a = 1 %}{% with %}{% set a = 2 %}{{ a }}{% endwith %}{{ a }}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}",
    "generation-trim": "a\n  {%- generation -%}\n  b\n  {%- endgeneration %}\nc",
    "do": "{% do list.append(1) %}",
    "print-undefined-item": "{{ messages[0].name }}{{ messages[0]['name'] }}",
    "deepseek-split": "{% for m in messages %}{% if m.role == 'assistant' and '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% endif %}{% endfor %}",
    "qwen3-strip": "{% for m in messages %}{% if m.role == 'assistant' %}{% set content = m.content.split('</think>')[-1].lstrip('\\n') %}{% set reasoning = m.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}{{ reasoning }}|{{ content }}{% endif %}{% endfor %}",
    "qwen3-reverse": "{% set ns = namespace(multi=true, last=messages|length - 1) %}{% for message in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{% if ns.multi and message.role == 'user' and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}{% set ns.multi = false %}{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}",
    "mistral-alternate": "{% for message in messages[1:] %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{{ message.role }}{% endfor %}",
    "mistral-slice": "{% set loop_messages = messages %}{%- for message in loop_messages | rejectattr('role', 'equalto', 'tool') | rejectattr('role', 'equalto', 'tool_results') | selectattr('tool_calls', 'undefined') %}{{ message.role }},{% endfor %}",
    "llama3-tools": "{%- if not tools is defined %}{%- set tools = none %}{%- endif %}{%- if tools is not none %}{%- for t in tools %}{{- t | tojson(indent=4) }}{{- \"\\n\\n\" }}{%- endfor %}{%- endif %}",
    "llama3-date": "{%- if not date_string is defined %}{%- set date_string = \"26 Jul 2024\" %}{%- endif %}{{ date_string }}",
    "gemma-trim": "{{ bos_token }}{% for message in messages[1:] %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "phi-roles": "{% for message in messages %}{% if message['role'] in ['system', 'user'] %}{{ '<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>' + '\n' }}{% endif %}{% endfor %}",
    "olmo-eos": "{% for message in messages %}{% if not loop.last %}{{ message.content ~ eos_token ~ '\n' }}{% else %}{{ message.content + eos_token }}{% endif %}{% endfor %}",
    "items-tojson": "{% for k, v in tools[0].function.parameters.properties.items() %}{{ k }}: {{ v | tojson }}{{ ', ' if not loop.last }}{% endfor %}",
    "granite-strip": "{% set s = messages[0]['content'] if messages[0]['role'] == 'system' %}{{ s }}|{{ (s or '')[:2] }}",
    "smollm3-flags": "{% set f = '/no_think' not in messages[0].content and true %}{{ 'think' if f else 'no' }}{{ messages[0].content.replace('/no_think', '').rstrip() }}",
    "command-r-macro": "{% macro document_turn(documents) -%}\n{%- for doc in documents %}{{ loop.index0 }}:{{ doc }}\n{% endfor -%}\n{%- endmacro %}{{ document_turn(['a','b']) }}",
    "hermes-types": "{%- macro json_to_python_type(s) %}{%- set basic = {'string': 'str', 'number': 'float', 'integer': 'int', 'boolean': 'bool'} %}{%- if basic[s.type] is defined %}{{- basic[s.type] }}{%- elif s.type == 'array' %}{{- 'list[' + json_to_python_type(s.items) + ']' }}{%- else %}{{- 'Any' }}{%- endif %}{%- endmacro %}{{ json_to_python_type({'type': 'integer'}) }}{{ json_to_python_type(tools[0].function.parameters) }}",
    "attr-before-item": "{{ {'items': 3}['items'] }}",
    "loop-var-outside": "{% for i in [1] %}{% endfor %}{{ i is defined }}",
    "inline-if-in-loop": "{% for m in messages %}{{ 'U' if m['role'] == 'user' else 'A' if m['role'] == 'assistant' else 'S' }}{% endfor %}",
    "extends-nothing": "{% include 'x' %}",
    "line-statement": "# for i in [1]\nx\n# endfor",
    "dict-literal-print": "{{ {'role': 'user', 'n': 1.5, 'l': [none, true]} }}",
    "percent-newline": "{{ 'a' }}\n\n{{ 'b' }}\n",
    "unclosed": "{% for i in [1] %}",
    "assign-in-if": "{% if true %}{% set q = 1 %}{% endif %}{{ q }}",
    "autoescape": "{% autoescape true %}{{ '<a>' }}{% endautoescape %}",
    "block": "{% block a %}x{% endblock %}",
    "self-reference": "{% block a %}x{% endblock %}{{ self.a() }}",
    "import-nothing": "{% import 'x' as y %}",
    "debug-global": "{{ debug is defined }}{{ range is defined }}{{ dict is defined }}{{ cycler is defined }}{{ joiner is defined }}{{ namespace is defined }}",
    "trans": "{% trans %}x{% endtrans %}",
}


def rendered(source):
    try:
        return _compile_jinja_template(source).render(**VARIABLES)
    except Exception:
        return None


def main():
    expressions = []
    lines = iter(EXPRESSIONS.split("\n"))
    for line in lines:
        # Two expressions contain a line break in a string.
        while line.count("'") % 2 and line.endswith("\\") or line == '"multi':
            line += "\n" + next(lines)
        expressions.append("{{ " + line + " }}")
    cases = [{"template": source, "text": rendered(source)} for source in expressions]
    cases += [{"name": name, "template": source, "text": rendered(source)} for name, source in TEMPLATES.items()]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"variables": VARIABLES, "cases": cases}, ensure_ascii=True, indent=1) + "\n")
    print(len(cases), "cases,", sum(case["text"] is None for case in cases), "refused by Jinja2")


if __name__ == "__main__":
    main()
