/*
 * Where spans go, from the variables that OpenTelemetry defines for all programs:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */

/** Where spans are sent, and as whom. */
export interface OtlpTarget {
	/** The whole URL, its path included. */
	readonly url: string;
	/** Sent with each request, by lower-case name; may hold passwords, so never logged. */
	readonly headers: Readonly<Record<string, string>>;
	/** For one request. Milliseconds. */
	readonly timeoutMs: number;
	/** `service.name` and what else `OTEL_RESOURCE_ATTRIBUTES` says of this process. */
	readonly resource: Readonly<Record<string, string>>;
}

/** What the settings and the variables say together. */
export interface ReadOtlpTarget {
	/** Undefined when nobody asked for traces, or what they asked for cannot be done. */
	readonly target: OtlpTarget | undefined;
	/** Full sentences about variables that cannot be used. */
	readonly problems: readonly string[];
}

const tracesPath = "/v1/traces";
const defaultTimeoutMs = 10_000;

/**
 * Reads where spans go.
 *
 * A variable that cannot be used leaves traces out, or its default in place, and is
 * told of: as OpenTelemetry asks, a program does not stop for it.
 *
 * @param endpoint the setting; goes before the variables
 */
export function readOtlpTarget(
	environment: Readonly<Record<string, string | undefined>>,
	endpoint: string | undefined,
): ReadOtlpTarget {
	const problems: string[] = [];
	/** The variable for traces alone goes before the one for everything; an empty one counts as none. */
	const read = (name: string): string | undefined =>
		[`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
			.map((one) => environment[one]?.trim())
			.find((value) => value !== undefined && value !== "");
	const isOff =
		environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" ||
		environment["OTEL_TRACES_EXPORTER"]?.trim() === "none";
	const whole = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]?.trim();
	const base = endpoint ?? environment["OTEL_EXPORTER_OTLP_ENDPOINT"]?.trim();
	const url =
		endpoint === undefined && whole
			? parseUrl(whole, "", problems)
			: base
				? parseUrl(base, tracesPath, problems)
				: undefined;
	if (isOff || url === undefined) return { target: undefined, problems };
	const serviceName = environment["OTEL_SERVICE_NAME"]?.trim();
	const protocol = read("PROTOCOL");
	if (protocol !== undefined && protocol !== "http/json")
		problems.push(
			`OTEL_EXPORTER_OTLP_PROTOCOL says ${protocol}, but traces go out as http/json, which every collector takes on its HTTP port (4318).`,
		);
	return {
		target: {
			url,
			headers: parsePairs(read("HEADERS") ?? "", lowerCase),
			timeoutMs: parseTimeout(read("TIMEOUT"), problems),
			resource: {
				"service.name": "lateen",
				...parsePairs(environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "", asItIs),
				...(serviceName && { "service.name": serviceName }),
			},
		},
		problems,
	};
}

function parseUrl(
	text: string,
	path: string,
	problems: string[],
): string | undefined {
	const url = URL.parse(text);
	if (url?.protocol === "http:" || url?.protocol === "https:")
		return `${url.href.replace(/\/$/, "")}${path}`;
	problems.push(
		`${JSON.stringify(text)} is not the URL of a collector, so no traces are sent. Write it like http://collector:4318.`,
	);
	return undefined;
}

function parseTimeout(text: string | undefined, problems: string[]): number {
	if (text === undefined) return defaultTimeoutMs;
	const ms = Number(text);
	if (Number.isFinite(ms) && ms > 0) return ms;
	problems.push(
		`OTEL_EXPORTER_OTLP_TIMEOUT must be milliseconds, but is ${JSON.stringify(text)}; ${defaultTimeoutMs} is used.`,
	);
	return defaultTimeoutMs;
}

/** `a=b,c=d`, percent-encoded as in W3C Baggage; what is no pair is left out. */
function parsePairs(
	text: string,
	name: (text: string) => string,
): Readonly<Record<string, string>> {
	return Object.fromEntries(
		text.split(",").flatMap((pair): readonly [string, string][] => {
			const at = pair.indexOf("=");
			const key = pair.slice(0, at).trim();
			if (at < 0 || key === "") return [];
			return [[name(decode(key)), decode(pair.slice(at + 1).trim())]];
		}),
	);
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// A stray % means itself.
		return text;
	}
}

function lowerCase(text: string): string {
	return text.toLowerCase();
}

function asItIs(text: string): string {
	return text;
}
