"""The words of `gist`: what is said for courtesy, what may come and go, what is the same under two names. All English."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, str]:
    """Each word to the first of its group; groups stand between colons and lines."""
    groups = [[word.strip() for word in group.split("=")] for group in text.replace("\n", ":").split(":")]
    return {word: group[0] for group in groups for word in group if word}


COURTESY: Final = _words(
    """hello hi hey dear good morning afternoon evening everyone everybody all folks team there thanks thank thx cheers
    many very much so lot bunch million kind kindly kindness regards best please pls plz sorry bother bothering
    ok okay well lol ugh hm hmm um btw quick quickly question real really just simply possibly maybe perhaps
    could can would will might may shall you u your yourself i i'd we me us my our myself be am is are was were it that
    able willing happy glad great nice wonderful awesome lovely mind favor favour trouble not too no any if when
    whenever have had a an the moment minute second time free chance some help helping hand out with for of to in on at
    as and or by do does did like love want wish need appreciate appreciated grateful obliged hope hoping wonder wondering
    ask asking know tell let give show get say see advance deal enough ever could've whether someone somebody anyone"""
)
"""A part of a sentence with no other word than these says nothing; so do those that open or close what is said."""

OPENERS: Final = _words("what why when where which who whose how whether")
"""End an opening courtesy: with them the question begins."""

WEIGHTY: Final = _words(
    "when if not no all any or out time get say see ask question second minute chance team good best"
)
"""Of `COURTESY`, those that say something as soon as they stand beside other words."""

CLOSING_WEIGHTY: Final = WEIGHTY | {"you", "u", "i"}
"""The same at the end: "who are you" is not "who am I"."""

LIMITING: Final = _words("not no all any")
"""Make a part of a sentence a condition ("not for me"), unless one of `EXCUSING` shows that it is none."""

EXCUSING: Final = _words("trouble mind bother bothering thanks thank")

SOFT: Final = _words(
    """a an the of and please then to from into onto in on at for by with as that this these those there here it its
    is are am be being been do does can could would has have i me my he she they
    what which how show give tell let so just follow following given want need like use get
    make write draft compose prepare provide produce explain describe"""
)
"""May come and go. "You" stays (who are you, who am I), tense stays, "or" stays; `BOUND` looks after from and to, `DOING`
after what is wanted."""

NAMES: Final = _words("it us am an a i or and can who may in on as is be do my me") - {"i"}
"""Written in capital letters they are names: the department IT, the US, vitamin A, an OR gate."""

DOING: Final = {
    **dict.fromkeys(_words("make writ write draft compos prepar provid produc"), "made"),
    **dict.fromkeys(_words("explain describ why reason"), "explained"),
}
"""What is wanted, by the stem of the verb: an explanation is no example. Where both prompts say it, it must be the same."""

BOUND: Final = _words(
    "to from into onto by than without not no only all any every both never except unless before after until"
)
"""Tell which way or how many: the word behind them has to be the same."""

SAME: Final = _pairs(
    """1 = one : 2 = two : 3 = three : 4 = four : 5 = five : 6 = six : 7 = seven : 8 = eight : 9 = nine : 10 = ten
    11 = eleven : 12 = twelve : 20 = twenty : 30 = thirty : 40 = forty : 50 = fifty : 100 = hundred
    i = we : me = us : my = our : every = each
    what = whats = what's : how = hows = how's : where = wheres = where's : who = whos = who's : it = it's
    javascript = js : typescript = ts : python = py : postgresql = postgres : kubernetes = k8s : macos = osx : golang = go
    database = db : directory = dir = folder : repository = repo : configuration = config : environment = env
    variable = var : parameter = param : argument = arg : function = func = fn : application = app
    documentation = docs : specification = spec : information = info : administrator = admin : dictionary = dict
    library = lib : column = col : minimum = min : maximum = max : temporary = temp : command-line = commandline
    email = e-mail = mail : color = colour : behavior = behaviour : center = centre : optimize = optimise
    organize = organise : initialize = initialise : serialize = serialise : normalize = normalise : analyze = analyse
    summarize = summarise : license = licence : gray = grey : catalog = catalogue : favorite = favourite
    and = & : versus = vs : with = w/ : without = w/o : because = cuz : you = u : people = ppl
    not = dont = doesnt = isnt = cant = cannot : the = teh = hte : that = taht : with = wiht : what = waht : this = tihs
    delete = remove = erase : make = create = generate = build : fast = quick : fastest = quickest : begin = start
    simple = easy : simplest = easiest : fix = repair : laptop = notebook : picture = image : big = large
    biggest = largest : terminate = kill : problem = trouble = issue : method = way : error = err : mistake = fault
    message = msg = note : program = programme : reply = response : happen = occur : whole = entire : correct = right
    help = assist : buy = purchase : difference = differ : use = utilize = utilise : choose = select
    between = among : need = require : get = obtain : show = display : let = allow : forbid = prevent"""
)
"""Each word to the first of its group: figures, abbreviations, spellings, and words that nobody tells apart."""

EXPANDED: Final = {
    short: tuple(long.split())
    for short, _, long in (
        group.strip().partition(" = ")
        for group in """
        api = application programming interface : ci = continuous integration : cli = command line interface
        cpu = central processing unit : gpu = graphics processing unit : css = cascading style sheets
        dns = domain name system : df = data frame : dataframe = data frame : fp = functional programming
        gc = garbage collector : gui = graphical user interface : html = hypertext markup language
        ide = integrated development environment : jwt = json web token : llm = large language model
        mitm = man-in-the-middle : ml = machine learning : mr = merge request : oom = out-of-memory
        oop = object-oriented programming : orm = object-relational mapping : os = operating system
        pr = pull request : ram = random access memory : regex = regular expression : regexp = regular expression
        sdk = software development kit : ssh = secure shell : tdd = test-driven development
        tls = transport layer security : ttl = time to live : ui = user interface : url = uniform resource locator
        ux = user experience : vm = virtual machine : vpn = virtual private network : wi-fi = wireless network
        wlan = wireless network : eod = end of day : eta = expected time of arrival
        faq = frequently asked questions : pto = paid time off
        """.replace("\n", ":").split(":")
        if group.strip()
    )
}
"""Initials, written out."""

COMPOSED: Final = _words("write draft compose translate summarize summarise rewrite answer reply explain say")
"""What an assistant does itself: how to write a letter is not the order to write it, while how to list files is."""
