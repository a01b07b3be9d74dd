import { createColors } from "picocolors";
import { printRef } from "../api/object-ref.ts";
import { loadPrinter } from "../xds/generate/print.ts";
import { typeUrls } from "../xds/resource-type.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { printChange } from "./print-change.ts";
import { plain } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import {
	changeOf,
	type ResourceChange,
	summarizeChanges,
} from "./proxy-changes.ts";
import {
	askSnapshot,
	type ProxySnapshot,
	type SnapshotResource,
} from "./proxy-snapshot.ts";
import type { Terminal } from "./terminal.ts";

/** A resource that the proxy does not have as it is meant to, and what it said to it. */
interface Behind {
	/** Undefined when it was refused and is no longer meant for the proxy. */
	readonly change: ResourceChange | undefined;
	readonly resource: SnapshotResource;
}

/**
 * `lateen proxy NAME diff`: what the proxy has acknowledged against what it is
 * to have.
 */
export async function proxyDiff(
	plane: ControlPlane,
	name: string,
	output: "table" | "json" | "yaml",
	terminal: Terminal,
): Promise<ExitCode> {
	const snapshot = await askSnapshot(plane, name);
	const behind = snapshot.resources.flatMap((resource): readonly Behind[] => {
		const { word, name, acknowledged, wanted, rejected } = resource;
		const [change] = changeOf(word, name, acknowledged, wanted);
		return change === undefined && rejected === undefined
			? []
			: [{ change, resource }];
	});
	if (output === "table") await tell(snapshot, behind, terminal);
	else terminal.out(await printValue(await describe(snapshot, behind), output));
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
	const changes = behind.flatMap(({ change }) => change ?? []);
	const refused = behind.filter(({ resource }) => resource.rejected).length;
	const summary = [
		...(changes.length === 0
			? []
			: [`${summarizeChanges(changes)}, not acknowledged`]),
		...(refused === 0 ? [] : [`${refused} refused`]),
	].join("; ");
	terminal.out(`${bold(plain(proxy.workload))}: ${plain(summary)}\n`);
	for (const { change, resource } of behind) {
		const { word, name, rejected } = resource;
		const origins = (resource.wanted ?? resource.acknowledged)?.origins ?? [];
		const from = origins.map(printRef).join(", ");
		terminal.out(
			`\n# ${word.one} ${plain(name)}${from === "" ? "" : `, from ${plain(from)}`}\n`,
		);
		if (rejected !== undefined)
			terminal.out(`${red(plain(`# rejected: ${rejected}`))}\n`);
		terminal.out(
			change === undefined
				? "# What it had before is what it is to have for now.\n"
				: printChange(change, sides, print, terminal.outColours),
		);
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
		resources: behind.map(({ resource }) => {
			const { word, name, rejected, acknowledged, wanted } = resource;
			const config = (one: typeof wanted) =>
				one === undefined ? null : print(typeUrls[word.type], one.bytes);
			return {
				type: word.word,
				name,
				rejected: rejected ?? null,
				objects: (wanted ?? acknowledged)?.origins.map(printRef) ?? [],
				acknowledged: config(acknowledged),
				wanted: config(wanted),
			};
		}),
	};
}
