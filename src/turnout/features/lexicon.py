"""Word lists that features count: keyword groups, subject areas, manners of speech, programming languages.

Each group is a feature. A word may stand in several groups. Matching is on whole lower-case words of the prompt,
so one dictionary look-up per word finds all groups at once.
"""

from __future__ import annotations

from collections.abc import Mapping

KEYWORD_GROUPS: Mapping[str, str] = {
    "security": "security secure vulnerability vulnerabilities exploit xss csrf ssrf sqli injection auth authentication "
    "authorization oauth oidc jwt saml token tokens secret secrets encrypt encrypted encryption decrypt crypto tls ssl "
    "certificate certificates cve sandbox privilege privileges rbac iam firewall attacker attack threat pentest hash "
    "salt sanitize sanitise password passwords credential credentials",
    "performance": "performance slow slower fast faster latency throughput optimize optimise optimized optimization "
    "bottleneck profile profiler profiling benchmark cache caching memory leak leaks cpu allocation allocations "
    "simd vectorize vectorise p99 p95 qps rps hotspot gc heap jank fps",
    "architecture": "architecture architectural design scalable scalability microservice microservices monolith modular "
    "decouple coupling cqrs eventsourcing hexagonal tenant tenancy multitenant pattern patterns tradeoff tradeoffs "
    "trade-off trade-offs system distributed partition partitioning sharding shard replica replication consensus "
    "failover idempotent idempotency backpressure saga gateway",
    "concurrency": "race races deadlock deadlocks lock locks locking mutex thread threads threading async await "
    "concurrent concurrency parallel parallelism atomic semaphore goroutine goroutines channel channels coroutine "
    "coroutines actor isolation serializable transaction transactions lockfree wait-free starvation livelock memory_order",
    "testing": "test tests testing unittest pytest jest mocha junit mock mocks fixture fixtures coverage flaky assert "
    "assertion e2e integration regression snapshot",
    "data": "dataframe pandas numpy csv parquet etl pipeline dataset column columns rows join aggregate groupby spark "
    "dbt warehouse schema excel spreadsheet plot chart histogram pivot",
    "machine_learning": "model training train neural network gradient loss embedding embeddings transformer lstm "
    "classifier regression overfitting pytorch tensorflow sklearn epoch hyperparameter attention fine-tune finetune "
    "inference quantization backprop convolution cross-validation",
    "web": "html css react vue svelte angular frontend browser dom component components button page api rest graphql "
    "endpoint http request response cors cookie session websocket webpack vite",
    "operations": "docker dockerfile kubernetes k8s helm terraform ansible ci cd pipeline deploy deployment rollout "
    "rollback nginx cluster pod pods container containers jenkins systemd cron aws gcp azure prometheus grafana "
    "incident outage autoscaling ingress",
    "database": "sql query queries index indexes postgres postgresql mysql sqlite mongodb redis table tables migration "
    "migrations foreign vacuum replication deadlock orm select insert update schema",
    "systems": "kernel driver firmware embedded interrupt register registers pointer pointers malloc segfault linker "
    "assembly compiler abi syscall mmap dma rtos bare-metal bootloader cache-line undefined behavior lifetime borrow "
    "unsafe overflow",
    "network": "tcp udp dns socket sockets packet packets proxy vpn router subnet latency handshake mtu http2 grpc quic bgp",
    "algorithm": "algorithm algorithms complexity graph tree trees dynamic programming recursion recursive sort sorting "
    "binary shortest path knapsack heap trie substring subsequence permutation permutations combinatorial matrix modulo "
    "np-hard heuristic backtracking greedy segment",
    "mathematics": "prove proof theorem lemma integral derivative equation equations polynomial probability matrix "
    "vector eigenvalue modulo prime integer integers triangle angle radius function limit converge group ring field "
    "isomorphic abelian subgroup order element finite cyclic continuous differentiable permutation",
    "statistics": "mean median variance deviation distribution sample samples hypothesis significance regression "
    "correlation confidence estimator bayesian likelihood p-value residuals heteroskedasticity autocorrelation",
    "science": "energy force mass velocity acceleration electron electrons atom atoms molecule reaction acid base "
    "temperature pressure volume wave wavelength photon quantum nucleus charge current voltage resistance field "
    "entropy enthalpy equilibrium mol moles orbit planet star gravity light",
    "biology": "cell cells protein proteins gene genes dna rna enzyme membrane species evolution organism organisms "
    "bacteria virus viruses neurons tissue muscle hormone photosynthesis chromosome mutation",
    "medicine": "patient patients disease symptoms diagnosis treatment blood pain year-old clinical drug dose therapy "
    "infection surgery physician hospital cancer chronic acute syndrome medication examination",
    "law": "court plaintiff defendant statute contract liability law legal constitution amendment tort jury crime "
    "criminal landlord tenant property attorney evidence seller buyer defendant's jurisdiction treaty rights",
    "economics": "price prices demand supply market markets inflation cost costs income tax taxes interest monetary "
    "fiscal firm firms consumer consumers gdp bank money trade unemployment profit revenue capital bond accounting",
    "society": "war king empire president government political party policy church religion religious century state "
    "states revolution treaty vote election social culture society colonial population rights women",
    "mind": "psychology behavior behaviour cognitive memory personality child children anxiety learning emotion "
    "theory moral morally wrong argument philosophy ethics utilitarian kant virtue belief fallacy reasoning",
    "writing": "email letter essay story poem paragraph sentence tone blog article summary summarize summarise rewrite "
    "translate grammar wording spelling title headline cover",
    "conversion": "convert conversion format reformat indent indentation beautify prettify sort alphabetical "
    "alphabetically csv yaml json xml toml markdown camelcase snake_case uppercase lowercase trailing whitespace",
    "local_edit": "rename replace add remove change typo docstring docstrings comment comments type hints annotation "
    "import imports variable parameter argument constant line newline semicolon quotes",
    "boilerplate": "template boilerplate skeleton scaffold stub starter gitignore readme license placeholder sample "
    "crud getter getters setters setup minimal example hello",
    "scope": "all every entire whole across codebase repo repository files modules services packages everywhere "
    "end-to-end multiple several monorepo both",
    "scale": "million millions billion billions thousands tb gb petabyte scale production zero-downtime downtime "
    "legacy enterprise global region regions tenants nodes",
    "obligation": "must shall exactly strictly guarantee guarantees ensure without never always constraint constraints "
    "requirement requirements at-most at-least exactly-once invariant invariants correct correctness",
    "reasoning": "why how explain understand cause root reason reasons compare difference differences versus vs evaluate "
    "assess review audit analyze analyse investigate trade consider implications justify pros cons",
    "symptom": "error errors exception traceback fail fails failing failed crash crashes crashed hang hangs stuck freeze "
    "broken bug wrong undefined null nan unexpected intermittent intermittently sometimes randomly occasionally stale "
    "missing panic timeout timeouts",
    "planning": "plan roadmap strategy migrate migration phase phases milestones steps approach propose proposal rollout "
    "prioritize timeline estimate sprint breakdown rfc",
    "modesty": "quick quickly simple simply just only small tiny easy trivial basic short one-liner little please thanks "
    "minor brief",
    "gravity": "critical urgent complex comprehensive advanced robust thorough deep detailed sophisticated "
    "production-grade important mission-critical enterprise-grade hard difficult tricky",
}

STOP_WORDS = frozenset(
    "a an the of to in on at by for from with and or but if then than that this these those is are was were be been it "
    "its as not no do does did have has had will would can could should i you he she we they me my your our their his "
    "her them what which who when where there here so all any some".split()
)
FOREIGN_STOP_WORDS = frozenset(
    "der die das und ist nicht ein eine mit für auf wie ich wir bitte warum den dem zu im le la les des est une pour "
    "dans avec pas que qui sur nous vous je pourquoi el los las una por para con como del cómo qué mi se o os um uma "
    "não com em de do da por favor il lo gli che non per sono perché come nel een het van niet voor met hoe waarom "
    "ve bir bu için nasıl neden ile i w na nie jak się do z dlaczego och att det som inte hur jag".split()
)

QUESTION_WORDS = frozenset("what which who whom whose when where why how".split())
NEGATIONS = frozenset(
    "not no never none nor neither without except cannot don't doesn't isn't can't won't false incorrect".split()
)
CONDITIONALS = frozenset("if unless when whenever otherwise assuming suppose given while until".split())
COMPARATIVES = frozenset(
    "more less most least greater fewer larger smaller higher lower best worst better worse likely than each".split()
)
PRONOUNS = frozenset("i we my our me us you your he she his her they their".split())

CODE_LANGUAGES: Mapping[str, str] = {
    "python": "def elif self lambda import __init__ none pytest django flask fastapi pandas numpy python py pip asyncio",
    "javascript": "const let function var javascript js node npm react typescript ts interface jsx tsx console vue svelte",
    "java": "java kotlin spring junit maven gradle fun val override println extends implements jvm scala",
    "csharp": "csharp namespace using linq dotnet unity monobehaviour asp ienumerable",
    "c_family": "include printf malloc struct nullptr std cout template cpp c++ typedef uint8_t size_t sizeof cmake",
    "go": "func goroutine chan defer golang go fmt nil",
    "rust": "fn impl mut rust cargo unwrap struct enum trait pub tokio serde",
    "sql": "select where join from insert having sql postgres mysql groupby",
    "shell": "bash sh sudo grep awk sed curl echo chmod powershell shell zsh ls cd",
    "markup": "html div css span class margin padding href scss tailwind flex xml svg",
    "settings": "yaml json toml dockerfile apiversion kubernetes terraform ini nginx helm config",
    "other_code": "php ruby perl swift dart flutter lua haskell elixir julia matlab vba cobol fortran r zig erlang clojure ocaml",
}


def index_groups(groups: Mapping[str, str], start: int = 0) -> dict[str, tuple[int, ...]]:
    """Map each word to the positions of its groups, counted from `start` in the order of the mapping."""
    found: dict[str, list[int]] = {}
    for position, words in enumerate(groups.values(), start):
        for word in dict.fromkeys(words.split()):
            found.setdefault(word, []).append(position)
    return {word: tuple(positions) for word, positions in found.items()}
