/** An object that must be refused, and one violation that must be among those told. */
export interface BadObject {
	/** What is wrong with it, as the end of "refuses ...". */
	readonly name: string;
	readonly object: unknown;
	/** The field, as Kubernetes prints it. */
	readonly path: string;
	/** A part of the message. */
	readonly message: string;
}

const HEAD = {
	apiVersion: "lateen.dev/v1alpha1",
	metadata: { name: "subject" },
};

function rule(spec: object): unknown {
	const destination = { name: "reviews" };
	return { ...HEAD, kind: "RouteRule", spec: { destination, ...spec } };
}

function externalService(spec: object): unknown {
	return {
		...HEAD,
		kind: "ExternalService",
		spec: {
			hosts: ["api.example.com"],
			ports: [{ number: 443, name: "https", protocol: "HTTP" }],
			...spec,
		},
	};
}

function mesh(injection: object): unknown {
	return {
		...HEAD,
		kind: "Mesh",
		metadata: { name: "default" },
		spec: { injection },
	};
}

function core(kind: string, rest: object, apiVersion = "v1"): unknown {
	return { apiVersion, kind, metadata: { name: "subject" }, ...rest };
}

function slice(rest: object): unknown {
	const addressType = "IPv4";
	return core("EndpointSlice", { addressType, ...rest }, "discovery.k8s.io/v1");
}

/** Objects of no kind, or with wrong metadata. */
export const badHeads: readonly BadObject[] = [
	{ name: "null", object: null, path: "", message: "this is null" },
	{ name: "a list", object: [], path: "", message: "this is a list" },
	{ name: "a number", object: 5, path: "", message: "the number 5" },
	{
		name: "an object without a kind",
		object: { apiVersion: "v1" },
		path: "",
		message: "must have apiVersion and kind",
	},
	{
		name: "a version that is not read",
		object: { ...(rule({}) as object), apiVersion: "lateen.dev/v2" },
		path: "apiVersion",
		message: "Write lateen.dev/v1alpha1.",
	},
	{
		name: "an object without a name",
		object: { ...(rule({}) as object), metadata: {} },
		path: "metadata.name",
		message: "Add metadata.name.",
	},
	{
		name: "metadata that is no object",
		object: { ...(rule({}) as object), metadata: "x" },
		path: "metadata",
		message: "must be an object",
	},
	{
		name: "a name with capitals",
		object: { ...(rule({}) as object), metadata: { name: "Reviews" } },
		path: "metadata.name",
		message: '"Reviews" is not a name.',
	},
	{
		name: "a namespace with dots",
		object: {
			...(rule({}) as object),
			metadata: { name: "a", namespace: "b.c" },
		},
		path: "metadata.namespace",
		message: '"b.c" is not a name.',
	},
	{
		name: "a label that is a number",
		object: {
			...(rule({}) as object),
			metadata: { name: "a", labels: { version: 1 } },
		},
		path: "metadata.labels[version]",
		message: 'Put it in quotes: "1".',
	},
	{
		name: "a time of creation that is none",
		object: {
			...(rule({}) as object),
			metadata: { name: "a", creationTimestamp: "yesterday" },
		},
		path: "metadata.creationTimestamp",
		message: "is not a time",
	},
	{
		name: "an unknown field beside spec",
		object: { ...(rule({}) as object), sepc: {} },
		path: "sepc",
		message: "Did you mean spec?",
	},
	{
		name: "a rule of 2 MB",
		object: rule({ respond: { status: 200, body: "x".repeat(2_000_000) } }),
		path: "",
		message: "larger than 1.5 MiB",
	},
	{
		name: "values that JSON does not have",
		object: rule({ timeout: new Date(0) }),
		path: "spec.timeout",
		message: "not a JSON value",
	},
];

/** RouteRules that the schema refuses. */
export const badShapes: readonly BadObject[] = [
	{
		name: "a rule without spec",
		object: { ...HEAD, kind: "RouteRule" },
		path: "spec",
		message: "Add spec.",
	},
	{
		name: "a rule without destination",
		object: { ...HEAD, kind: "RouteRule", spec: {} },
		path: "spec.destination",
		message: "Add destination.",
	},
	{
		name: "an unknown field that is near a known one",
		object: rule({ route: [{ wieght: 1 }] }),
		path: "spec.route[0].wieght",
		message: "Did you mean weight?",
	},
	{
		name: "an unknown field that is near none",
		object: rule({ respond: { status: 200, frobnicate: 1 } }),
		path: "spec.respond.frobnicate",
		message: "use one of status, body",
	},
	{
		name: "the field on as YAML 1.1 reads it",
		object: rule({ retries: { true: ["reset"] } }),
		path: "spec.retries.true",
		message: 'Put it in quotes: "on".',
	},
	{
		name: "a null",
		object: rule({ timeout: null }),
		path: "spec.timeout",
		message: "but is null",
	},
	{
		name: "a negative weight",
		object: rule({ route: [{ weight: -1 }] }),
		path: "spec.route[0].weight",
		message: "between 0 and 1000000, but is the number -1",
	},
	{
		name: "a weight that is a fraction",
		object: rule({ route: [{ weight: 0.5 }] }),
		path: "spec.route[0].weight",
		message: "a whole number",
	},
	{
		name: "a weight in quotes",
		object: rule({ route: [{ weight: "5" }] }),
		path: "spec.route[0].weight",
		message: "Remove the quotes: 5.",
	},
	{
		name: "an object where a list belongs",
		object: rule({ route: { labels: { version: "v1" } } }),
		path: "spec.route",
		message: "Write a list, also for a single entry.",
	},
	{
		name: "an empty list",
		object: rule({ match: [] }),
		path: "spec.match",
		message: "Fill it, or remove the field.",
	},
	{
		name: "a label value that is a number",
		object: rule({ route: [{ labels: { version: 2 } }] }),
		path: "spec.route[0].labels[version]",
		message: 'Put it in quotes: "2".',
	},
	{
		name: "a label value with spaces",
		object: rule({ route: [{ labels: { version: "a b" } }] }),
		path: "spec.route[0].labels[version]",
		message: "not a label value",
	},
	{
		name: "a number for a duration",
		object: rule({ timeout: 5 }),
		path: "spec.timeout",
		message: 'Write "5s" for seconds',
	},
	{
		name: "a duration without a unit",
		object: rule({ timeout: "5" }),
		path: "spec.timeout",
		message: 'it has no unit. Write "5s" for seconds',
	},
	{
		name: "a duration with an unknown unit",
		object: rule({ idleTimeout: "5 min" }),
		path: "spec.idleTimeout",
		message: "units h, m, s or ms",
	},
	{
		name: "a port out of range",
		object: rule({ destination: { name: "a", port: 70000 } }),
		path: "spec.destination.port",
		message: "between 1 and 65535",
	},
	{
		name: "a matched port out of range",
		object: rule({ match: [{ port: 0 }] }),
		path: "spec.match[0].port",
		message: "between 1 and 65535",
	},
	{
		name: "a word that is near a known one",
		object: rule({ retries: { on: ["gateway-eror"] } }),
		path: "spec.retries.on[0]",
		message: "Did you mean gateway-error?",
	},
	{
		name: "the same word twice",
		object: rule({ retries: { on: ["reset", "5xx", "reset"] } }),
		path: "spec.retries.on[2]",
		message: "the same as entry 0",
	},
	{
		name: "a redirect code that is none",
		object: rule({ redirect: { code: 200, path: "/" } }),
		path: "spec.redirect.code",
		message: "301, 302, 303, 307, 308",
	},
	{
		name: "a response status below 200",
		object: rule({ respond: { status: 100 } }),
		path: "spec.respond.status",
		message: "between 200 and 599",
	},
	{
		name: "an abort status above 599",
		object: rule({ fault: { abort: { httpStatus: 600 } } }),
		path: "spec.fault.abort.httpStatus",
		message: "between 200 and 599",
	},
	{
		name: "a percent above 100",
		object: rule({ mirror: [{ percent: 101 }] }),
		path: "spec.mirror[0].percent",
		message: "between 0 and 100",
	},
	{
		name: "an unknown test in a string match",
		object: rule({ match: [{ headers: { "x-user": { prefx: "j" } } }] }),
		path: "spec.match[0].headers[x-user].prefx",
		message: "Did you mean prefix?",
	},
	{
		name: "a number for a string match",
		object: rule({ match: [{ headers: { "x-user": 7 } }] }),
		path: "spec.match[0].headers[x-user]",
		message: "a string or an object, but is the number 7",
	},
	{
		name: "an empty string match",
		object: rule({ match: [{ path: {} }] }),
		path: "spec.match[0].path",
		message: "The value is empty",
	},
	{
		name: "an empty prefix",
		object: rule({ match: [{ path: { prefix: "" } }] }),
		path: "spec.match[0].path.prefix",
		message: "The value is empty",
	},
	{
		name: "a service name with a dot",
		object: rule({ destination: { name: "a.b" } }),
		path: "spec.destination.name",
		message: "is not a name",
	},
	{
		name: "a host without a dot",
		object: rule({ destination: { host: "localhost" } }),
		path: "spec.destination.host",
		message: "at least one dot",
	},
	{
		name: "a gateway that is no name",
		object: rule({ gateways: ["a/b/c"] }),
		path: "spec.gateways[0]",
		message: "the name of a Gateway",
	},
	{
		name: "a server name that is none",
		object: rule({ match: [{ tcp: { sni: ["*"] } }] }),
		path: "spec.match[0].tcp.sni[0]",
		message: "not a server name",
	},
	{
		name: "more matches than are allowed",
		object: rule({ match: Array.from({ length: 33 }, () => ({ port: 1 })) }),
		path: "spec.match",
		message: "more than 32 entries",
	},
	{
		name: "a text that is too long",
		object: rule({ match: [{ path: `/${"a".repeat(1024)}` }] }),
		path: "spec.match[0].path",
		message: "longer than 1024 characters",
	},
];

/** RouteRules that a CEL rule of the CRD refuses. */
export const badByCel: readonly BadObject[] = [
	{
		name: "route and redirect together",
		object: rule({ route: [{}], redirect: { path: "/" } }),
		path: "spec",
		message: "Only one of route, redirect and respond may be set.",
	},
	{
		name: "a redirect with retries",
		object: rule({ redirect: { path: "/" }, retries: {} }),
		path: "spec.redirect",
		message: "have no effect beside it",
	},
	{
		name: "a direct response with a rewrite",
		object: rule({ respond: { status: 200 }, rewrite: { path: "/" } }),
		path: "spec.respond",
		message: "have no effect beside it",
	},
	{
		name: "weights that are all 0",
		object: rule({ route: [{ weight: 0 }, { weight: 0 }] }),
		path: "spec.route",
		message: "All weights are 0",
	},
	{
		name: "a destination by name and by host",
		object: rule({ destination: { name: "a", host: "a.example.com" } }),
		path: "spec.destination",
		message: "exactly one of name (a Service) and host",
	},
	{
		name: "a target without name and host",
		object: rule({ route: [{ destination: { port: 80 } }] }),
		path: "spec.route[0].destination",
		message: "exactly one of name (a Service) and host",
	},
	{
		name: "a host with a namespace",
		object: rule({
			mirror: [{ destination: { host: "a.example.com", namespace: "b" } }],
		}),
		path: "spec.mirror[0].destination.namespace",
		message: "Remove namespace",
	},
	{
		name: "a destination by host with a namespace",
		object: rule({
			destination: { host: "a.example.com", namespace: "b" },
		}),
		path: "spec.destination.namespace",
		message: "Remove namespace",
	},
	{
		name: "a target by host with a namespace",
		object: rule({
			route: [{ destination: { host: "a.example.com", namespace: "b" } }],
		}),
		path: "spec.route[0].destination.namespace",
		message: "Remove namespace",
	},
	{
		name: "a receiver of copies by name and by host",
		object: rule({
			mirror: [{ destination: { name: "a", host: "a.example.com" } }],
		}),
		path: "spec.mirror[0].destination",
		message: "exactly one of name (a Service) and host",
	},
	{
		name: "L4 and HTTP matches in one rule",
		object: rule({
			match: [{ tcp: { sni: ["a.example.com"] } }, { path: "/" }],
		}),
		path: "spec.match",
		message: "Split it into two rules.",
	},
	{
		name: "an L4 rule with a timeout",
		object: rule({
			match: [{ tcp: { sni: ["a.example.com"] } }],
			timeout: "1s",
		}),
		path: "spec",
		message: "can only route",
	},
	{
		name: "a redirect that changes nothing",
		object: rule({ redirect: { code: 301 } }),
		path: "spec.redirect",
		message: "around in circles",
	},
	{
		name: "a redirect to a path and a prefix",
		object: rule({ redirect: { path: "/a", prefix: "/b" } }),
		path: "spec.redirect",
		message: "Only one of path",
	},
	{
		name: "two ways to rewrite the path",
		object: rule({ rewrite: { path: "/a", prefix: "/b" } }),
		path: "spec.rewrite",
		message: "Only one of path, prefix and regex",
	},
	{
		name: "an abort without a status",
		object: rule({ fault: { abort: {} } }),
		path: "spec.fault.abort",
		message: "exactly one of httpStatus and grpcStatus",
	},
	{
		name: "an abort of one match with two statuses",
		object: rule({
			match: [{ fault: { abort: { httpStatus: 500, grpcStatus: 1 } } }],
		}),
		path: "spec.match[0].fault.abort",
		message: "exactly one of httpStatus and grpcStatus",
	},
	{
		name: "two kinds of affinity",
		object: rule({ affinity: { header: "x-user", sourceIP: true } }),
		path: "spec.affinity",
		message: "exactly one of header, cookie, query and sourceIP",
	},
	{
		name: "a Mesh of another name",
		object: { ...HEAD, kind: "Mesh" },
		path: "",
		message: "its name is default",
	},
];

/** RouteRules with something that Envoy refuses or that could never have an effect. */
export const badMeanings: readonly BadObject[] = [
	{
		name: "a regex with lookahead",
		object: rule({ match: [{ path: { regex: "/(?=a)" } }] }),
		path: "spec.match[0].path.regex",
		message: "invalid or unsupported Perl syntax: `(?=`",
	},
	{
		name: "a regex with an open quotation",
		object: rule({ match: [{ path: { regex: "/a\\Qb" } }] }),
		path: "spec.match[0].path.regex",
		message: "must be ended by \\E",
	},
	{
		name: "a regex with a code point above a byte",
		object: rule({ match: [{ query: { q: { regex: "\\x{20AC}" } } }] }),
		path: "spec.match[0].query[q].regex",
		message: "Write the character itself.",
	},
	{
		name: "a regex that is too large",
		object: rule({
			match: [{ path: { regex: "[a-z]{1000}".repeat(40) } }],
		}),
		path: "spec.match[0].path.regex",
		message: "too large when compiled",
	},
	{
		name: "two tests in one string match",
		object: rule({
			match: [{ authority: { exact: "a", prefix: "b" } }],
		}),
		path: "spec.match[0].authority",
		message: "Several things are compared.",
	},
	{
		name: "a string match that compares nothing",
		object: rule({ match: [{ authority: { not: true } }] }),
		path: "spec.match[0].authority",
		message: "Nothing is compared.",
	},
	{
		name: "ignoreCase beside a regex",
		object: rule({
			match: [{ headers: { a: { regex: "x", ignoreCase: true } } }],
		}),
		path: "spec.match[0].headers[a].ignoreCase",
		message: "begin the regex with (?i)",
	},
	{
		name: "a path that does not begin with a slash",
		object: rule({ match: [{ path: "api" }] }),
		path: "spec.match[0].path",
		message: 'Write "/api".',
	},
	{
		name: "a path prefix with a query",
		object: rule({ match: [{ path: { prefix: "/a?b=c" } }] }),
		path: "spec.match[0].path.prefix",
		message: "use query",
	},
	{
		name: "presence of a path",
		object: rule({ match: [{ path: { present: true } }] }),
		path: "spec.match[0].path.present",
		message: "always true",
	},
	{
		name: "a method in lower case",
		object: rule({ match: [{ method: "get" }] }),
		path: "spec.match[0].method",
		message: 'Write "GET".',
	},
	{
		name: "a scheme that is none",
		object: rule({ match: [{ scheme: "grpc" }] }),
		path: "spec.match[0].scheme",
		message: "http or https",
	},
	{
		name: "an empty header name",
		object: rule({ match: [{ headers: { "": "x" } }] }),
		path: "spec.match[0].headers[]",
		message: "The header name is empty.",
	},
	{
		name: "a header name with a space",
		object: rule({ match: [{ headers: { "x user": "x" } }] }),
		path: "spec.match[0].headers[x user]",
		message: "not a header name",
	},
	{
		name: "a pseudo-header in a match",
		object: rule({ match: [{ headers: { ":path": "/" } }] }),
		path: "spec.match[0].headers[:path]",
		message: "not a header but a part of the request",
	},
	{
		name: "the Host header in a match",
		object: rule({ match: [{ headers: { Host: "a" } }] }),
		path: "spec.match[0].headers[Host]",
		message: "matched by authority",
	},
	{
		name: "one header under two spellings",
		object: rule({ match: [{ headers: { "x-a": "1", "X-A": "2" } }] }),
		path: "spec.match[0].headers[X-A]",
		message: "case does not count",
	},
	{
		name: "an identity that is no SPIFFE ID",
		object: rule({ match: [{ source: { identity: "default/web" } }] }),
		path: "spec.match[0].source.identity",
		message: "not a SPIFFE ID",
	},
	{
		name: "a subnet that is none",
		object: rule({ match: [{ tcp: { sourceSubnets: ["10.0.0.0/33"] } }] }),
		path: "spec.match[0].tcp.sourceSubnets[0]",
		message: "neither a CIDR nor an address",
	},
	{
		name: "an L4 match with a path",
		object: rule({
			match: [{ tcp: { sni: ["a.example.com"] }, path: "/" }],
		}),
		path: "spec.match[0].path",
		message: "Remove path, or remove tcp.",
	},
	{
		name: "a label key that is none",
		object: rule({ route: [{ labels: { "a b": "c" } }] }),
		path: "spec.route[0].labels[a b]",
		message: "not a label key",
	},
	{
		name: "the number of a port in quotes",
		object: rule({ destination: { name: "a", port: "80" } }),
		path: "spec.destination.port",
		message: "Remove the quotes.",
	},
	{
		name: "a port name that is none",
		object: rule({ destination: { name: "a", port: "HTTP" } }),
		path: "spec.destination.port",
		message: "not the name of a port",
	},
	{
		name: "a prefix rewrite where no prefix is matched",
		object: rule({
			match: [{ path: { suffix: ".php" } }],
			rewrite: { prefix: "/" },
		}),
		path: "spec.match[0].path",
		message: "rewrite.prefix has nothing to replace",
	},
	{
		name: "a prefix redirect where the match is turned around",
		object: rule({
			match: [{ path: { prefix: "/a", not: true } }],
			redirect: { prefix: "/" },
		}),
		path: "spec.match[0].path",
		message: "redirect.prefix has nothing to replace",
	},
	{
		name: "a rewrite to a relative path",
		object: rule({ rewrite: { path: "api" } }),
		path: "spec.rewrite.path",
		message: 'Write "/api"',
	},
	{
		name: "a redirect path with a line break",
		object: rule({ redirect: { path: "/a\nb" } }),
		path: "spec.redirect.path",
		message: "line breaks",
	},
	{
		name: "a redirect host with a port",
		object: rule({ redirect: { authority: "a.example.com:80" } }),
		path: "spec.redirect.authority",
		message: "set port",
	},
	{
		name: "a rewritten host with a path",
		object: rule({ rewrite: { authority: "a.example.com/x" } }),
		path: "spec.rewrite.authority",
		message: "not a host",
	},
	{
		name: "a replacement that names a group too many",
		object: rule({
			rewrite: { regex: { pattern: "/(a)", replacement: "/\\2" } },
		}),
		path: "spec.rewrite.regex.replacement",
		message: "names group 2, but the pattern has 1",
	},
	{
		name: "a replacement with a lone backslash",
		object: rule({
			rewrite: { regex: { pattern: "/a", replacement: "/b\\" } },
		}),
		path: "spec.rewrite.regex.replacement",
		message: "followed by the number of a group",
	},
	{
		name: "a body of more than 4096 bytes",
		object: rule({ respond: { status: 200, body: "ä".repeat(2049) } }),
		path: "spec.respond.body",
		message: "4098 bytes",
	},
	{
		name: "a body where there can be none",
		object: rule({ respond: { status: 204, body: "x" } }),
		path: "spec.respond.body",
		message: "has no body",
	},
	{
		name: "a duration of more than a year",
		object: rule({ timeout: "9000h" }),
		path: "spec.timeout",
		message: "longer than a year",
	},
	{
		name: "a first wait of 0",
		object: rule({ retries: { backoff: { base: "0s" } } }),
		path: "spec.retries.backoff.base",
		message: "more than 0",
	},
	{
		name: "a longest wait below the first",
		object: rule({ retries: { backoff: { base: "1s", max: "10ms" } } }),
		path: "spec.retries.backoff.max",
		message: "shorter than the first one",
	},
	{
		name: "a delay of 0",
		object: rule({ fault: { delay: { duration: "0s" } } }),
		path: "spec.fault.delay.duration",
		message: "more than 0",
	},
	{
		name: "a change of the Host header",
		object: rule({ headers: { request: { set: { Host: "a" } } } }),
		path: "spec.headers.request.set[Host]",
		message: "Use rewrite.authority.",
	},
	{
		name: "removal of a pseudo-header",
		object: rule({ headers: { response: { remove: [":status"] } } }),
		path: "spec.headers.response.remove[0]",
		message: "part of the request",
	},
	{
		name: "a change of a header of the connection",
		object: rule({
			route: [{ headers: { request: { add: { Connection: "x" } } } }],
		}),
		path: "spec.route[0].headers.request.add[Connection]",
		message: "belongs to the connection",
	},
	{
		name: "a header value with a line break",
		object: rule({ headers: { request: { set: { a: "b\r\nc: d" } } } }),
		path: "spec.headers.request.set[a]",
		message: "line breaks",
	},
	{
		name: "an origin with a path",
		object: rule({ cors: { allowOrigins: ["https://a.example.com/x"] } }),
		path: "spec.cors.allowOrigins[0]",
		message: "not an origin",
	},
	{
		name: "every origin with credentials",
		object: rule({ cors: { allowOrigins: ["*"], credentials: true } }),
		path: "spec.cors.allowOrigins[0]",
		message: "every site could act",
	},
	{
		name: "an origin that is not something",
		object: rule({
			cors: { allowOrigins: [{ exact: "https://a.example.com", not: true }] },
		}),
		path: "spec.cors.allowOrigins[0].not",
		message: "cannot be used here",
	},
	{
		name: "a maximal age with a fraction of a second",
		object: rule({
			cors: { allowOrigins: ["*"], maxAge: "500ms" },
		}),
		path: "spec.cors.maxAge",
		message: "whole seconds",
	},
	{
		name: "a cookie that cannot be named so",
		object: rule({ affinity: { cookie: { name: "a;b" } } }),
		path: "spec.affinity.cookie.name",
		message: "not the name of a cookie",
	},
	{
		name: "the path of a cookie that is never set",
		object: rule({ affinity: { cookie: { name: "a", path: "/" } } }),
		path: "spec.affinity.cookie.path",
		message: "Set ttl",
	},
];

/** ExternalServices. */
export const badExternalServices: readonly BadObject[] = [
	{
		name: "a host without a dot",
		object: externalService({ hosts: ["database"] }),
		path: "spec.hosts[0]",
		message: "at least one dot",
	},
	{
		name: "a host with capitals",
		object: externalService({ hosts: ["API.example.com"] }),
		path: "spec.hosts[0]",
		message: "lower-case",
	},
	{
		name: "a host that is an address",
		object: externalService({ hosts: ["10.1.2.3"] }),
		path: "spec.hosts[0]",
		message: "an address and not a name",
	},
	{
		name: "an address that is none",
		object: externalService({ addresses: ["10.1.2"] }),
		path: "spec.addresses[0]",
		message: "neither an address nor a CIDR",
	},
	{
		name: "two ports of one number",
		object: externalService({
			ports: [
				{ number: 80, name: "a" },
				{ number: 80, name: "b" },
			],
		}),
		path: "spec.ports[1].number",
		message: "another port 80",
	},
	{
		name: "two ports of one name",
		object: externalService({
			ports: [
				{ number: 80, name: "a" },
				{ number: 81, name: "a" },
			],
		}),
		path: "spec.ports[1].name",
		message: "another port named a",
	},
	{
		name: "TLS on top of TLS",
		object: externalService({
			ports: [{ number: 443, name: "a", protocol: "HTTPS", tls: {} }],
		}),
		path: "spec.ports[0].tls",
		message: "encrypt twice",
	},
	{
		name: "certificates that are none",
		object: externalService({
			ports: [
				{
					number: 443,
					name: "a",
					protocol: "HTTP",
					tls: {
						caCertificates:
							"-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----",
					},
				},
			],
		}),
		path: "spec.ports[0].tls.caCertificates",
		message: "not a list of certificates",
	},
	{
		name: "static resolution without endpoints",
		object: externalService({ resolution: "Static" }),
		path: "spec.resolution",
		message: "there must be endpoints",
	},
	{
		name: "endpoints without resolution",
		object: externalService({ endpoints: [{ address: "10.1.2.3" }] }),
		path: "spec.resolution",
		message: "endpoints have no effect",
	},
	{
		name: "a wildcard that is to be looked up",
		object: externalService({ hosts: ["*.example.com"], resolution: "DNS" }),
		path: "spec.hosts",
		message: "cannot be looked up in DNS",
	},
	{
		name: "a static endpoint with a name",
		object: externalService({
			resolution: "Static",
			endpoints: [{ address: "a.example.com" }],
		}),
		path: "spec.endpoints[0].address",
		message: "not an IP address",
	},
	{
		name: "an endpoint that is neither name nor address",
		object: externalService({
			resolution: "DNS",
			endpoints: [{ address: "10.1.2.300" }],
		}),
		path: "spec.endpoints[0].address",
		message: "neither an IP address nor a host name",
	},
	{
		name: "an endpoint's port that the service has not",
		object: externalService({
			resolution: "Static",
			endpoints: [{ address: "10.1.2.3", ports: { htps: 8443 } }],
		}),
		path: "spec.endpoints[0].ports[htps]",
		message: "Use one of https.",
	},
	{
		name: "a locality that is none",
		object: externalService({
			resolution: "Static",
			endpoints: [{ address: "10.1.2.3", locality: "a/b/c/d" }],
		}),
		path: "spec.endpoints[0].locality",
		message: "not a locality",
	},
];

/** Kinds of Kubernetes itself. */
export const badCoreObjects: readonly BadObject[] = [
	{
		name: "a Service port out of range",
		object: core("Service", { spec: { ports: [{ port: 65536 }] } }),
		path: "spec.ports[0].port",
		message: "between 1 and 65535",
	},
	{
		name: "a Service with two nameless ports",
		object: core("Service", { spec: { ports: [{ port: 1 }, { port: 2 }] } }),
		path: "spec.ports[1].name",
		message: "Name the ports.",
	},
	{
		name: "a Service of an unknown type",
		object: core("Service", { spec: { type: "External" } }),
		path: "spec.type",
		message: "one of ClusterIP",
	},
	{
		name: "an ExternalName Service without the name",
		object: core("Service", { spec: { type: "ExternalName" } }),
		path: "spec.externalName",
		message: "Set externalName.",
	},
	{
		name: "a cluster IP that is none",
		object: core("Service", { spec: { clusterIP: "10.0.0" } }),
		path: "spec.clusterIP",
		message: "not an IP address",
	},
	{
		name: "a selector that is a list",
		object: core("Service", { spec: { selector: ["app"] } }),
		path: "spec.selector",
		message: "must be an object",
	},
	{
		name: "an EndpointSlice without addressType",
		object: slice({ addressType: undefined }),
		path: "addressType",
		message: "Set addressType",
	},
	{
		name: "an endpoint without addresses",
		object: slice({ endpoints: [{}] }),
		path: "endpoints[0].addresses",
		message: "Add one.",
	},
	{
		name: "an IPv6 address in a slice of IPv4",
		object: slice({ endpoints: [{ addresses: ["::1"] }] }),
		path: "endpoints[0].addresses",
		message: "not an IPv4 address",
	},
	{
		name: "an endpoint that is ready in words",
		object: slice({
			endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: "yes" } }],
		}),
		path: "endpoints[0].conditions.ready",
		message: "true or false",
	},
	{
		name: "a container's port that is a name",
		object: core("Pod", {
			spec: { containers: [{ ports: [{ containerPort: "http" }] }] },
		}),
		path: "spec.containers[0].ports[0].containerPort",
		message: "between 1 and 65535",
	},
	{
		name: "containers that are no list",
		object: core("Pod", { spec: { containers: {} } }),
		path: "spec.containers",
		message: "must be a list",
	},
];

/** Meshes. */
export const badMeshes: readonly BadObject[] = [
	{
		name: "injection that excludes a name",
		object: mesh({ excludeOutboundSubnets: ["10.0.0.1", "example.com"] }),
		path: "spec.injection.excludeOutboundSubnets[1]",
		message: "neither an address nor a CIDR",
	},
	{
		name: "a template that gives the proxy another name",
		object: mesh({ template: { proxy: { name: "envoy" } } }),
		path: "spec.injection.template.proxy.name",
		message: "known by its name",
	},
	...(
		[
			[
				"says how the proxy is run in another place than the Mesh does",
				{ proxy: { restartPolicy: "Never" } },
				["proxy.restartPolicy", "Set spec.injection.sidecar instead"],
			],
			[
				"runs the proxy as somebody whom the capture does not know",
				{ proxy: { securityContext: { runAsUser: 7 } } },
				["proxy.securityContext.runAsUser", "spec.injection.proxyUser"],
			],
			[
				"has a word for a list",
				{ proxy: { args: "--log-level debug" } },
				["proxy.args", "a list of texts"],
			],
			[
				"has a field that is one letter off",
				{ capture: { resource: {} } },
				["capture.resource", "Did you mean resources?"],
			],
			[
				"has a variable without a name",
				{ proxy: { env: [{ value: "1" }] } },
				["proxy.env[0].name", "Add name"],
			],
			[
				"has a directive that is not known",
				{ pod: { spec: { $retainKeys: ["volumes"] } } },
				["pod.spec.$retainKeys", "only $patch is known"],
			],
			[
				"has a directive of another word",
				{ pod: { spec: { $patch: "remove" } } },
				["pod.spec.$patch", "replace, delete or merge"],
			],
			[
				"has fields of the spec beside it",
				{ pod: { tolerations: [] } },
				["pod.tolerations", "metadata and spec"],
			],
			[
				"has a number for a label",
				{ pod: { metadata: { labels: { team: 7 } } } },
				["pod.metadata.labels[team]", "Put it into quotes"],
			],
			[
				"names all pods alike",
				{ pod: { metadata: { name: "web" } } },
				["pod.metadata.name", "names of their own"],
			],
			[
				"says that pods are injected",
				{ pod: { metadata: { labels: { "lateen.dev/injected": "1" } } } },
				["pod.metadata.labels[lateen.dev/injected]", "Leave it away"],
			],
			[
				"puts pods into the network of their node",
				{ pod: { spec: { hostNetwork: true } } },
				["pod.spec.hostNetwork", "cannot be captured"],
			],
			[
				"has the proxy as a container of the pod",
				{ pod: { spec: { initContainers: [{ name: "lateen-proxy" }] } } },
				["pod.spec.initContainers[0].name", "under spec.injection.template"],
			],
			[
				"has a volume of the name of ours",
				{ pod: { spec: { volumes: [{ name: "lateen" }] } } },
				["pod.spec.volumes[0].name", "another name"],
			],
		] as const
	).map(([what, template, [path, message]]) => ({
		name: `a template that ${what}`,
		object: mesh({ template }),
		path: `spec.injection.template.${path}`,
		message,
	})),
	{
		name: "an amount of memory that is none",
		object: mesh({ resources: { limits: { memory: "much" } } }),
		path: "spec.injection.resources.limits[memory]",
		message: "quantity of CPU or memory",
	},
];
