import { createColors } from "picocolors";
import type { ObjectRef } from "../api/object-ref.ts";
import { printRef } from "../api/object-ref.ts";
import type { Condition } from "../xds/explain/condition.ts";
import type {
	Explanation,
	Forward,
	RouteTry,
	SeenRequest,
	TargetStep,
} from "../xds/explain/explanation.ts";
import type { ObjectPlaces } from "./object-places.ts";
import { printPlace } from "./object-places.ts";
import { plain } from "./print-table.ts";

/** How an explanation is told. */
export interface ExplanationStyle {
	readonly colours: boolean;
	readonly places: ObjectPlaces;
	/** Who asks: `default/productpage-v1 (sidecar, explicit)`. */
	readonly from: string;
	/** What is asked, as it was typed. */
	readonly url: string;
}

/** Routes that do not match and come from no rule, or that are this far from the end, are counted only. */
const mostTries = 40;

/** The way of a request as a story for people. */
export function printExplanation(
	explanation: Explanation,
	style: ExplanationStyle,
): string {
	const { request, listener, virtualHost, outcome, notes } = explanation;
	const { bold, green, red } = createColors(style.colours);
	const lines = new Lines(style.colours);
	const method = request.method === "" ? "" : `${request.method} `;
	lines.add(bold(plain(`${method}${style.url} from ${style.from}`)), "");
	if (listener !== undefined)
		lines.step(
			"Listener",
			`${listener.name} (${listener.address})${chainOf(listener.filterChain)}`,
		);
	if (virtualHost !== undefined) {
		const { domain, name, routes, match } = virtualHost;
		lines.step("Virtual host", `${name}, in route configuration ${routes}`);
		lines.more(
			`has the authority ${request.authority}: ${matchWords[match](domain)}`,
		);
	}
	if (explanation.tried.length > 0) {
		lines.step(
			virtualHost === undefined ? "Filter chains" : "Routes",
			virtualHost === undefined
				? "the one that says most about the connection:"
				: "in order, until one takes the request:",
		);
		addTries(lines, explanation, style);
	}
	switch (outcome.kind) {
		case "forward":
			addForward(lines, outcome, explanation);
			break;
		case "redirect":
			lines.step(
				"Answer",
				`${outcome.status} from the proxy: go to ${outcome.location}`,
			);
			break;
		case "respond":
			lines.step("Answer", `${outcome.status} from the proxy`);
			for (const line of outcome.body.trimEnd().split("\n"))
				if (line !== "") lines.more(line);
			break;
		case "refused":
			lines.step("Answer", outcome.reason);
			break;
	}
	for (const note of notes) lines.step("Note", note);
	const verdict = verdictOf(explanation);
	lines.add("", explanation.answered ? green(verdict) : red(verdict));
	return lines.text();
}

const matchWords = {
	exact: (domain: string) => `${domain} is one of its domains`,
	suffix: (domain: string) =>
		`its domain ${domain} is the longest that ends so`,
	prefix: (domain: string) =>
		`its domain ${domain} is the longest that begins so`,
	any: () => "no other has it, and this one takes what is left over",
};

function chainOf(name: string): string {
	return name === "" ? "" : `, filter chain ${name}`;
}

function addTries(
	lines: Lines,
	{ tried, untried }: Explanation,
	style: ExplanationStyle,
): void {
	const hidden = Math.max(0, tried.length - mostTries);
	if (hidden > 0)
		lines.add(
			`    ${hidden} routes before these did not match (-o json has them)`,
		);
	for (const one of tried.slice(hidden)) {
		lines.mark(one.taken, `${nameOf(one, style.places)}`, 4);
		// Of what matched, all is worth reading; of what did not, what was in the way.
		for (const condition of one.conditions)
			if (one.taken || !condition.holds)
				lines.mark(condition.holds, printCondition(condition), 8);
		if (one.taken && one.conditions.length === 0)
			lines.mark(true, "asks for nothing", 8);
		// Filter chains are not tried in order: the most specific one wins.
		if (!one.taken && one.conditions.every(({ holds }) => holds))
			lines.mark(false, "another says more about the connection", 8);
	}
	if (untried.length > 0) {
		const names = untried.slice(0, 3).join(", ");
		const more = untried.length > 3 ? `, and ${untried.length - 3} more` : "";
		lines.add(`    · not tried: ${plain(`${names}${more}`)}`);
	}
}

function nameOf(
	{ name, origin, branch }: RouteTry,
	places: ObjectPlaces,
): string {
	return origin === undefined
		? (builtIn[name] ?? name)
		: `${describeOrigin(origin, places)}, match[${branch ?? 0}]`;
}

const builtIn: Readonly<Record<string, string>> = {
	default: "default: the whole service, when no rule takes the request",
	"no rule": "no rule: what no rule of the gateway takes",
	"unknown host": "unknown host: what no service of the mesh has",
};

function describeOrigin(ref: ObjectRef, places: ObjectPlaces): string {
	return `${printRef(ref)}${printPlace(ref, places)}`;
}

function printCondition({ asks, has, holds }: Condition): string {
	if (holds) return asks;
	return `${asks}; ${has === undefined ? "there is none" : `it is ${JSON.stringify(has)}`}`;
}

function addForward(
	lines: Lines,
	outcome: Forward,
	explanation: Explanation,
): void {
	const { targets } = outcome;
	const isHttp = explanation.virtualHost !== undefined;
	lines.step(
		"Goes to",
		targets.length === 1
			? describeTarget(targets[0])
			: `one of ${targets.length}, by weight:`,
	);
	for (const target of targets) {
		if (targets.length > 1)
			lines.add(
				`    ${printPercent(target.percent).padStart(6)}  ${plain(describeTarget(target))}`,
			);
		addEndpoints(lines, target);
	}
	if (!isHttp) return;
	const settings = settingsOf(outcome);
	settings.forEach((setting, index) => {
		if (index === 0) lines.step("With", setting);
		else lines.more(setting);
	});
	const shown = new Map(
		targets
			.filter(({ percent }) => percent > 0)
			.map(({ request }) => [JSON.stringify(request), request]),
	);
	for (const request of shown.values())
		addSeen(lines, request, explanation.request);
}

function describeTarget(target: TargetStep | undefined): string {
	if (target === undefined) return "nowhere";
	const { service, cluster, known } = target;
	if (!known) return `cluster ${cluster}, which the proxy does not have`;
	if (service === undefined)
		return fixedClusters[cluster] ?? `cluster ${cluster}`;
	const subset = service.subset === "" ? "" : `, ${service.subset}`;
	return `${service.hostname}:${service.port}${subset}`;
}

const fixedClusters: Readonly<Record<string, string>> = {
	passthrough: "the address that the client asked for (cluster passthrough)",
	dynamic_forward_proxy:
		"the host that the client asked for, which the proxy resolves (cluster dynamic_forward_proxy)",
	blackhole: "nowhere: the connection is closed (cluster blackhole)",
	unresolved:
		"nowhere: what the rule names does not exist (cluster unresolved)",
};

function addEndpoints(lines: Lines, target: TargetStep): void {
	const { endpoints, discovery } = target;
	const indent = " ".repeat(16);
	if (discovery === "asked for") return;
	if (endpoints.length === 0 && target.known && target.service !== undefined)
		lines.mark(false, "no endpoint", 16);
	for (const { address, health, locality, weight } of endpoints.slice(0, 10)) {
		const where = locality === "" || locality === "/" ? "" : `, ${locality}`;
		const heavy = weight === 1 ? "" : `, weight ${weight}`;
		const how = discovery === "dns" ? ", by DNS" : "";
		lines.add(
			`${indent}${plain(`${address}  ${health}${how}${where}${heavy}`)}`,
		);
	}
	if (endpoints.length > 10)
		lines.add(`${indent}and ${endpoints.length - 10} more`);
}

function settingsOf(outcome: Forward): readonly string[] {
	const { fault, retries, timeoutMs, idleTimeoutMs, mirrors } = outcome;
	return [
		...(fault?.delay
			? [
					`fault: ${printPercent(fault.delay.percent)} are delayed by ${printMs(fault.delay.ms)}`,
				]
			: []),
		...(fault?.abort
			? [
					`fault: ${printPercent(fault.abort.percent)} are answered with ${fault.abort.status} by the proxy`,
				]
			: []),
		timeoutMs === 0 ? "no timeout" : `timeout ${printMs(timeoutMs)}`,
		...(idleTimeoutMs === undefined
			? []
			: [`idle timeout ${printMs(idleTimeoutMs)}`]),
		retries === undefined
			? "no retries"
			: `up to ${retries.attempts} ${retries.attempts === 1 ? "retry" : "retries"} on ${retries.on.join(", ")}${retries.perTryTimeoutMs === undefined ? "" : `, each try ${printMs(retries.perTryTimeoutMs)}`}`,
		...outcome.affinity.map((key) => `same endpoint for the same ${key}`),
		...mirrors.map(
			({ cluster, percent }) =>
				`${printPercent(percent)} are copied to ${cluster}`,
		),
		...(outcome.cors ? ["CORS preflights are answered by the proxy"] : []),
		...outcome.responseHeaders.map(
			({ op, name, value }) =>
				`response header ${name} ${op === "remove" ? "removed" : `${op === "set" ? "set to" : "added:"} ${JSON.stringify(value)}`}`,
		),
	];
}

/** The request as it arrives, with what is new in it. */
function addSeen(lines: Lines, after: SeenRequest, before: SeenRequest): void {
	lines.step(
		"Arrives as",
		`${after.method} ${after.path || after.authority}${after.path === "" ? "" : `, host ${after.authority}`}${
			after.path === before.path && after.authority === before.authority
				? ""
				: " (rewritten)"
		}`,
	);
	for (const [name, value] of after.headers) lines.more(`${name}: ${value}`);
	for (const [name] of before.headers)
		if (!after.headers.some(([kept]) => kept === name))
			lines.more(`${name} is removed`);
}

function verdictOf({ outcome, answered, virtualHost }: Explanation): string {
	const refusal =
		virtualHost === undefined
			? "the proxy closes the connection"
			: "the proxy says 503";
	switch (outcome.kind) {
		case "redirect":
		case "respond":
			return answered
				? "The proxy answers by itself."
				: "Nobody answers: the proxy refuses the request.";
		case "refused":
			return "Nobody answers.";
		case "forward": {
			if (outcome.fault?.abort?.percent === 100)
				return "The proxy answers by itself: a fault that a rule injects.";
			if (!answered)
				return `Nobody can answer: ${refusal}, because no endpoint is there.`;
			const empty = outcome.targets.filter(
				({ percent, endpoints, discovery }) =>
					percent > 0 && discovery !== "asked for" && endpoints.length === 0,
			);
			const share = empty.reduce((sum, { percent }) => sum + percent, 0);
			return share === 0
				? "An endpoint answers."
				: `An endpoint answers, but ${printPercent(share)} find no endpoint: ${refusal}.`;
		}
	}
}

function printPercent(percent: number): string {
	return `${Math.round(percent * 100) / 100} %`;
}

function printMs(ms: number): string {
	return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** Lines of text with a column of headings. */
class Lines {
	readonly #lines: string[] = [];
	readonly #colours: ReturnType<typeof createColors>;

	constructor(colours: boolean) {
		this.#colours = createColors(colours);
	}

	add(...lines: readonly string[]): void {
		this.#lines.push(...lines);
	}

	step(heading: string, text: string): void {
		this.#lines.push(
			`${this.#colours.bold(heading.padEnd(14))}  ${plain(text)}`,
		);
	}

	more(text: string): void {
		this.#lines.push(`${" ".repeat(16)}${plain(text)}`);
	}

	mark(good: boolean, text: string, indent: number): void {
		const sign = good ? this.#colours.green("✓") : this.#colours.red("✗");
		this.#lines.push(`${" ".repeat(indent)}${sign} ${plain(text)}`);
	}

	text(): string {
		return `${this.#lines.join("\n")}\n`;
	}
}
