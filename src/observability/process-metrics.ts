import { readdirSync } from "node:fs";
import { totalmem } from "node:os";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { MetricsRegistry } from "./metrics.ts";

/**
 * Adds memory, CPU time and event-loop delay of this process to the registry,
 * under the names that Prometheus' own clients use where those exist.
 *
 * The returned function ends the measuring of the event loop.
 */
export function addProcessMetrics(registry: MetricsRegistry): () => void {
	const memory = registry.gauge(
		"process_resident_memory_bytes",
		"Memory of this process that is in RAM.",
	);
	const heap = registry.gauge(
		"lateen_heap_used_bytes",
		"JavaScript objects in memory, with those not yet collected.",
	);
	const limit = registry.gauge(
		"lateen_memory_limit_bytes",
		"Memory that this process may have, as its container or machine says.",
	);
	limit.set(memoryLimit());
	const files = registry.gauge(
		"process_open_fds",
		"Files and sockets that this process has open; only on Linux.",
	);
	const cpu = registry.counter(
		"process_cpu_seconds_total",
		"CPU time this process has used, user and system.",
	);
	const started = registry.gauge(
		"process_start_time_seconds",
		"When this process started, in seconds since the Unix epoch.",
	);
	started.set(performance.timeOrigin / 1000);
	const delay = registry.gauge(
		"lateen_event_loop_delay_seconds",
		"How late timers were since the last look, by statistic (median, p99 or max): the time for which nothing else could run.",
		["statistic"],
	);
	// 50 ms: fine enough to see a stall that a person or a proxy would notice, coarse enough to cost nothing when idle.
	const resolutionMs = 50;
	const loop = monitorEventLoopDelay({ resolution: resolutionMs });
	loop.enable();
	let counted: NodeJS.CpuUsage = { user: 0, system: 0 };
	registry.beforePrint(() => {
		memory.set(process.memoryUsage.rss());
		heap.set(process.memoryUsage().heapUsed);
		files.set(openFiles());
		const { user, system } = process.cpuUsage(counted);
		cpu.add((user + system) / 1e6);
		counted = process.cpuUsage();
		for (const [statistic, value] of [
			["median", loop.percentile(50)],
			["p99", loop.percentile(99)],
			["max", loop.max],
		] as const)
			delay.set(lateness(value, resolutionMs), { statistic });
		loop.reset();
	});
	return () => loop.disable();
}

/** What the container allows; without one, or without a limit, what the machine has. */
function memoryLimit(): number {
	const allowed = process.constrainedMemory();
	return allowed > 0 && allowed < totalmem() ? allowed : totalmem();
}

function openFiles(): number {
	try {
		return readdirSync("/proc/self/fd").length;
	} catch {
		// No such folder on other systems.
		return 0;
	}
}

/** Node.js reports the time between two of its ticks; what is beyond the wanted time is the delay. */
function lateness(tickNs: number, resolutionMs: number): number {
	if (!Number.isFinite(tickNs)) return 0;
	return Math.max(0, tickNs / 1e9 - resolutionMs / 1000);
}
