import { parseDuration } from "../api/duration.ts";
import { isSubnet } from "../api/ip-address.ts";
import type { InjectionSpec } from "../api/mesh.ts";
import type { Violation } from "../api/violation.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { fieldOf, type Json, recordIn } from "./json.ts";
import { names } from "./names.ts";
import { isQuantity } from "./quantity.ts";

/** How one pod wants to be injected, after its annotations. */
export interface Steering {
	readonly includeInboundPorts: "all" | readonly number[];
	readonly excludeInboundPorts: readonly number[];
	readonly includeOutboundSubnets: "all" | readonly string[];
	readonly excludeOutboundSubnets: readonly string[];
	readonly includeOutboundPorts: readonly number[];
	readonly excludeOutboundPorts: readonly number[];
	readonly logLevel: InjectionSpec["logLevel"];
	/** Whether the application starts only when its proxy is ready. */
	readonly holdsApplication: boolean;
	readonly sidecar: "native" | "classic";
	readonly rewritesProbes: boolean;
	/** Whole seconds. */
	readonly stopDelaySeconds: number;
	/** Of the proxy, besides the Mesh's. */
	readonly resources: {
		readonly requests: Readonly<Record<string, string>>;
		readonly limits: Readonly<Record<string, string>>;
	};
}

/** A steering, or everything that is wrong with the annotations. */
export type ReadSteering =
	| { readonly ok: true; readonly steering: Steering }
	| { readonly ok: false; readonly violations: readonly Violation[] };

const logLevels = [
	"trace",
	"debug",
	"info",
	"warning",
	"error",
	"critical",
	"off",
] as const;

/** Annotations that steer, each with what it is for; docs/injection.md says the same at length. */
const known = [
	"inject",
	"include-inbound-ports",
	"exclude-inbound-ports",
	"include-outbound-ports",
	"exclude-outbound-ports",
	"include-outbound-subnets",
	"exclude-outbound-subnets",
	"proxy-cpu",
	"proxy-cpu-limit",
	"proxy-memory",
	"proxy-memory-limit",
	"proxy-log-level",
	"hold-application",
	"rewrite-probes",
	"sidecar",
	"stop-delay",
] as const;

type Steer = (typeof known)[number];

/** Reads the annotations of a pod that steer its injection; every mistake is reported. */
export function readSteering(
	pod: Json,
	settings: InjectionSpec,
	hasNativeSidecars: boolean,
): ReadSteering {
	const annotations = recordIn(recordIn(pod, "metadata"), "annotations");
	const violations: Violation[] = [];
	function read<T>(
		name: Steer,
		parse: (text: string) => T | undefined,
		wanted: string,
		otherwise: T,
	): T {
		const key = `lateen.dev/${name}`;
		const text = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
		if (text === undefined || text === null) return otherwise;
		const value = typeof text === "string" ? parse(text.trim()) : undefined;
		if (value !== undefined) return value;
		violations.push({
			path: `metadata.annotations[${JSON.stringify(key)}]`,
			message: `The value is ${JSON.stringify(text).slice(0, 200)}; expected is ${wanted}.`,
		});
		return otherwise;
	}
	readWish(pod, violations);
	violations.push(...misspelt(annotations));
	const portList = "a list of ports such as 8080,9090";
	const subnetList = "a list of subnets such as 10.0.0.0/8,fd00::/8";
	const steering: Steering = {
		includeInboundPorts: read<"all" | readonly number[]>(
			"include-inbound-ports",
			allOr(parsePorts),
			`* or ${portList}`,
			"all",
		),
		excludeInboundPorts: read(
			"exclude-inbound-ports",
			parsePorts,
			portList,
			[],
		),
		includeOutboundSubnets: read<"all" | readonly string[]>(
			"include-outbound-subnets",
			allOr(parseSubnets),
			`* or ${subnetList}`,
			"all",
		),
		excludeOutboundSubnets: read(
			"exclude-outbound-subnets",
			parseSubnets,
			subnetList,
			[],
		),
		includeOutboundPorts: read(
			"include-outbound-ports",
			parsePorts,
			portList,
			[],
		),
		excludeOutboundPorts: read(
			"exclude-outbound-ports",
			parsePorts,
			portList,
			[],
		),
		logLevel: read(
			"proxy-log-level",
			(text) => logLevels.find((level) => level === text),
			`one of ${logLevels.join(", ")}`,
			settings.logLevel,
		),
		holdsApplication: read(
			"hold-application",
			parseFlag,
			"true or false",
			true,
		),
		rewritesProbes: read("rewrite-probes", parseFlag, "true or false", true),
		sidecar: read(
			"sidecar",
			(text) => (text === "native" || text === "classic" ? text : undefined),
			"native or classic",
			sidecarOf(settings, hasNativeSidecars),
		),
		stopDelaySeconds: read(
			"stop-delay",
			parseSeconds,
			"whole seconds below an hour, such as 10s",
			parseSeconds(settings.stopDelay) ?? 0,
		),
		resources: {
			requests: {
				...quantity(read, "cpu", "proxy-cpu"),
				...quantity(read, "memory", "proxy-memory"),
			},
			limits: {
				...quantity(read, "cpu", "proxy-cpu-limit"),
				...quantity(read, "memory", "proxy-memory-limit"),
			},
		},
	};
	return violations.length === 0
		? { ok: true, steering }
		: { ok: false, violations };
}

/** A wish that is neither yes nor no, on a pod of a namespace that asks: which did they mean? */
function readWish(pod: Json, violations: Violation[]): void {
	const metadata = recordIn(pod, "metadata");
	for (const field of ["labels", "annotations"]) {
		const wish = fieldOf(recordIn(metadata, field), "lateen.dev/inject");
		if (wish === undefined || wish === null || wish === "") continue;
		if (typeof wish === "string" && parseFlag(wish) !== undefined) continue;
		violations.push({
			path: `metadata.${field}["lateen.dev/inject"]`,
			message: `The value is ${JSON.stringify(wish).slice(0, 200)}; expected is "true" or "false".`,
		});
	}
}

/** Annotations that are one or two letters off: what they wish would be passed over. */
function misspelt(annotations: Json): readonly Violation[] {
	const prefix = "lateen.dev/";
	return Object.keys(annotations).flatMap((key) => {
		const name = key.slice(prefix.length);
		if (!key.startsWith(prefix) || isKnown(name)) return [];
		const near = nearestName(name, known);
		return near === undefined
			? []
			: [
					{
						path: `metadata.annotations[${JSON.stringify(key)}]`,
						message: `There is no such annotation; expected is a name such as ${prefix}${near}.`,
					},
				];
	});
}

function isKnown(name: string): boolean {
	return (
		known.some((one) => one === name) ||
		`lateen.dev/${name}` === names.injectionAnnotation ||
		`lateen.dev/${name}` === names.injectedLabel ||
		`lateen.dev/${name}` === names.notInjectedAnnotation
	);
}

function quantity(
	read: (
		name: Steer,
		parse: (text: string) => string | undefined,
		wanted: string,
		otherwise: string,
	) => string,
	resource: "cpu" | "memory",
	name: Steer,
): Readonly<Record<string, string>> {
	const text = read(
		name,
		(value) => (isQuantity(value) ? value : undefined),
		"a quantity such as 100m or 128Mi",
		"",
	);
	return text === "" ? {} : { [resource]: text };
}

function sidecarOf(
	{ sidecar }: InjectionSpec,
	hasNativeSidecars: boolean,
): Steering["sidecar"] {
	switch (sidecar) {
		case "Auto":
			return hasNativeSidecars ? "native" : "classic";
		case "Native":
			return "native";
		case "Classic":
			return "classic";
	}
}

function allOr<T>(
	parse: (text: string) => T | undefined,
): (text: string) => "all" | T | undefined {
	return (text) => (text === "*" ? "all" : parse(text));
}

/** Empty text is an empty list. */
function parseList(text: string): readonly string[] {
	return text === "" ? [] : text.split(",").map((item) => item.trim());
}

function parsePorts(text: string): readonly number[] | undefined {
	const items = parseList(text);
	const isGood = items.every(
		(item) => /^[1-9]\d{0,4}$/.test(item) && Number(item) <= 65535,
	);
	return isGood ? items.map(Number) : undefined;
}

function parseSubnets(text: string): readonly string[] | undefined {
	const items = parseList(text);
	return items.every(isSubnet) ? items : undefined;
}

function parseFlag(text: string): boolean | undefined {
	if (text === "true") return true;
	return text === "false" ? false : undefined;
}

function parseSeconds(text: string): number | undefined {
	const ms = parseDuration(text);
	return ms !== undefined && ms % 1000 === 0 && ms < 3_600_000
		? ms / 1000
		: undefined;
}
