import { createColors } from "picocolors";
import { printRef } from "../api/object-ref.ts";
import { loadPrinter } from "../xds/generate/print.ts";
import { typeUrls } from "../xds/resource-type.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { originsOfChange, printChange } from "./print-change.ts";
import { plain } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import {
	changeOf,
	type ResourceChange,
	summarizeChanges,
} from "./proxy-changes.ts";
import { askSnapshot, type ProxySnapshot } from "./proxy-snapshot.ts";
import type { WhichServer } from "./server-client.ts";
import type { Terminal } from "./terminal.ts";

/** A resource that the proxy does not have as it is meant to, and what it said to it. */
interface Behind {
	readonly change: ResourceChange;
	readonly rejected: string | undefined;
}

/**
 * `lateen proxy NAME diff`: what the proxy has acknowledged against what it is
 * to have.
 */
export async function proxyDiff(
	name: string,
	values: WhichServer & { readonly output: "table" | "json" | "yaml" },
	terminal: Terminal,
): Promise<ExitCode> {
	const snapshot = await askSnapshot(values, name);
	const behind = snapshot.resources.flatMap((one): readonly Behind[] =>
		changeOf(one.word, one.name, one.acknowledged, one.wanted).map(
			(change) => ({ change, rejected: one.rejected }),
		),
	);
	if (values.output === "table") await tell(snapshot, behind, terminal);
	else
		terminal.out(
			await printValue(await describe(snapshot, behind), values.output),
		);
	return behind.length === 0 ? exitCode.ok : exitCode.negative;
}

async function tell(
	{ proxy, resources }: ProxySnapshot,
	behind: readonly Behind[],
	terminal: Terminal,
): Promise<void> {
	if (behind.length === 0) {
		terminal.out(
			`${plain(proxy.workload)} has acknowledged all ${resources.length} resources that it is to have.\n`,
		);
		return;
	}
	const { bold, red } = createColors(terminal.outColours);
	const print = await loadPrinter();
	const sides = { before: "acknowledged", after: "sent" };
	terminal.out(
		`${bold(plain(proxy.workload))}: ${plain(summarizeChanges(behind.map(({ change }) => change)))}, not acknowledged\n`,
	);
	for (const { change, rejected } of behind) {
		const from = originsOfChange(change);
		terminal.out(from === "" ? "\n" : `\n# from ${plain(from)}\n`);
		if (rejected !== undefined)
			terminal.out(`${red(plain(`# rejected: ${rejected}`))}\n`);
		terminal.out(printChange(change, sides, print, terminal.outColours));
	}
}

async function describe(
	{ proxy }: ProxySnapshot,
	behind: readonly Behind[],
): Promise<unknown> {
	const print = await loadPrinter();
	return {
		proxy: proxy.workload,
		id: proxy.id,
		upToDate: behind.length === 0,
		resources: behind.map(({ change, rejected }) => {
			const { word, name, before, after } = change;
			const config = (one: typeof before) =>
				one === undefined ? null : print(typeUrls[word.type], one.bytes);
			return {
				type: word.word,
				name,
				rejected: rejected ?? null,
				objects: (after ?? before)?.origins.map(printRef) ?? [],
				acknowledged: config(before),
				wanted: config(after),
			};
		}),
	};
}
