// The process that plays all proxies; it is told what to do over the channel to
// its parent, and ends with it.
import type { LoadCommand, LoadReport } from "./load-messages.ts";
import { LoadStream } from "./load-stream.ts";
import { systemMs } from "./mesh-files.ts";

let streams: LoadStream[] = [];
const totals = { bytes: 0, responses: 0, removed: 0 };
/** By stream that was opened again, when it was where it had been. */
const restored = new Map<LoadStream, number>();
const resources: Record<string, number> = {};
let cutMs = 0;
let waiting:
	| { readonly marker: Buffer; readonly atMs: Map<LoadStream, number> }
	| undefined;

function report(message: LoadReport): void {
	process.send?.(message);
}

function open(command: Extract<LoadCommand, { op: "open" }>): void {
	const openedMs = systemMs();
	const synced = new Set<LoadStream>();
	let failed = false;
	const shared = {
		expected: command.expected,
		onMessage: (stream: LoadStream, message: Buffer, atMs: number) => {
			totals.bytes += 5 + message.length;
			totals.responses++;
			if (waiting === undefined || waiting.atMs.has(stream)) return;
			if (!message.includes(waiting.marker)) return;
			waiting.atMs.set(stream, atMs);
			if (waiting.atMs.size < streams.length) return;
			report({ op: "received", atMs: [...waiting.atMs.values()] });
			waiting = undefined;
		},
		onResponse: (response: {
			readonly typeUrl: string;
			readonly resources: readonly unknown[];
			readonly removed: number;
		}) => {
			const type = response.typeUrl.split(".").at(-1) ?? "";
			resources[type] =
				(resources[type] ?? 0) + response.resources.length + response.removed;
			totals.removed += response.removed;
		},
		onSynced: (stream: LoadStream) => {
			synced.add(stream);
			if (synced.size === command.streams.length)
				report({ op: "synced", openedMs, syncedMs: systemMs() });
		},
		onRestored: (stream: LoadStream) => {
			restored.set(stream, systemMs());
			if (restored.size < streams.length) return;
			report({ op: "restored", cutMs, atMs: [...restored.values()] });
		},
		onFailure: (error: unknown) => {
			if (failed) return;
			failed = true;
			const message = error instanceof Error ? error.message : String(error);
			report({ op: "failed", message });
		},
	};
	for (const plan of command.streams)
		streams.push(new LoadStream(command, plan, shared));
}

function storm(): void {
	restored.clear();
	cutMs = systemMs();
	for (const stream of streams) stream.close();
	streams = streams.map((stream) => stream.again());
}

process.on("message", (command: LoadCommand) => {
	switch (command.op) {
		case "open":
			open(command);
			return;
		case "await":
			waiting = { marker: Buffer.from(command.marker), atMs: new Map() };
			report({ op: "watching" });
			return;
		case "storm":
			storm();
			return;
		case "totals":
			report({ op: "totals", totals: { ...totals, resources } });
			return;
	}
});
process.once("disconnect", () => process.exit());
report({ op: "ready" });
