/*
 * What replicas of the control plane tell each other, in objects of kind
 * ProxyReport: how far the proxies of one replica have come with some objects.
 * Only replicas write it, and what another version wrote must not end a process:
 * so what cannot be read is as good as not said.
 */
import type { AcceptedForm, RefusedForm } from "../gen/crd/proxy-report.ts";
import { isRecord } from "./fields.ts";

export type { AcceptedForm, RefusedForm } from "../gen/crd/proxy-report.ts";

/** How far one object has come among the proxies of one replica. */
export interface ReportedObject {
	/** Tells the object from an earlier one of the same name; empty when unknown. */
	readonly uid: string;
	/** The generation that proxies of the replica are served; 0 when none is, or one from before generations were counted. */
	readonly generation: number;
	/** A newer generation that proxies refuse; 0 when there is none. */
	readonly withheld: number;
	/** Connected proxies that need the object. */
	readonly total: number;
	readonly acknowledged: number;
	readonly rejected: number;
	/** Names of a few that lack it. */
	readonly missing: readonly string[];
	/** A few refusals of what is served now. */
	readonly rejections: readonly {
		readonly proxy: string;
		readonly message: string;
	}[];
	/** Forms that proxies have accepted. */
	readonly accepted: readonly AcceptedForm[];
	/** Forms that proxies have refused, whether they are served or held back. */
	readonly refused: readonly RefusedForm[];
}

/** What one report says. */
export interface ProxyReport {
	readonly replica: string;
	/** By `Kind/namespace/name`, or `Kind/name` of what has no namespace. */
	readonly objects: ReadonlyMap<string, ReportedObject>;
}

/** The `spec` of a ProxyReport; what is empty or 0 is left out. */
export function printProxyReport({ replica, objects }: ProxyReport): {
	readonly replica: string;
	readonly objects: Readonly<Record<string, object>>;
} {
	return {
		replica,
		objects: Object.fromEntries(
			[...objects]
				.sort(([a], [b]) => (a < b ? -1 : 1))
				.map(([key, one]) => [key, printObject(one)]),
		),
	};
}

/** Reads an object of kind ProxyReport; undefined when it is none. */
export function parseProxyReport(value: unknown): ProxyReport | undefined {
	const spec = isRecord(value) ? value["spec"] : undefined;
	if (!isRecord(spec)) return undefined;
	const { replica, objects } = spec;
	if (typeof replica !== "string" || replica === "") return undefined;
	return {
		replica,
		objects: new Map(
			Object.entries(isRecord(objects) ? objects : {}).flatMap(([key, one]) =>
				isRecord(one) ? [[key, parseObject(one)] as const] : [],
			),
		),
	};
}

function printObject(one: ReportedObject): object {
	return Object.fromEntries(
		Object.entries(one).filter(
			([name, value]) =>
				name === "generation" ||
				!(value === 0 || value === "" || isEmptyList(value)),
		),
	);
}

function isEmptyList(value: unknown): boolean {
	return Array.isArray(value) && value.length === 0;
}

function parseObject(one: Readonly<Record<string, unknown>>): ReportedObject {
	const form = (value: Readonly<Record<string, unknown>>) => ({
		content: textOf(value["content"]),
		software: textOf(value["software"]),
	});
	const saying = (value: Readonly<Record<string, unknown>>) => ({
		proxy: textOf(value["proxy"]),
		message: textOf(value["message"]),
	});
	return {
		uid: textOf(one["uid"]),
		generation: countOf(one["generation"]),
		withheld: countOf(one["withheld"]),
		total: countOf(one["total"]),
		acknowledged: countOf(one["acknowledged"]),
		rejected: countOf(one["rejected"]),
		missing: listOf(one["missing"]).filter((name) => typeof name === "string"),
		rejections: recordsOf(one["rejections"]).map(saying),
		accepted: recordsOf(one["accepted"]).map(form),
		refused: recordsOf(one["refused"]).map((value) => ({
			...form(value),
			...saying(value),
		})),
	};
}

function textOf(value: unknown): string {
	return typeof value === "string" ? value : "";
}

function countOf(value: unknown): number {
	return typeof value === "number" && Number.isSafeInteger(value) && value > 0
		? value
		: 0;
}

function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}

function recordsOf(
	value: unknown,
): readonly Readonly<Record<string, unknown>>[] {
	return listOf(value).filter(isRecord);
}
