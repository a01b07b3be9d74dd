// Loaded into a server before its program: on SIGUSR2 it collects garbage and
// writes down how much memory is in use, so that what proxies need can be told
// from what was needed for a moment.
import { renameSync, writeFileSync } from "node:fs";

process.on("SIGUSR2", () => {
	for (let round = 0; round < 3; round++) globalThis.gc?.();
	const { heapUsed, external } = process.memoryUsage();
	const path = process.env["BENCH_MEMORY_FILE"] ?? "";
	writeFileSync(`${path}.draft`, String(heapUsed + external));
	renameSync(`${path}.draft`, path);
});
