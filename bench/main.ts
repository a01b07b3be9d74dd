/**
 * `npm run bench`: what the control plane needs, as a table with aims.
 *
 *   --only NAME   one part: control-plane, scale, status, storm, status-matrix, encode, mesh or injection
 *   --quick       smaller and shorter; its figures compare with nothing
 *   --json FILE   the figures as a list of {name, value, unit, aim, meets}
 *   --write       the table into bench/results/
 *   --program F   the program to measure; otherwise dist/lateen.js, built anew
 *   --profile DIR a CPU profile of each server
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildProgram } from "./build-program.ts";
import {
	type ControlPlaneCost,
	type ControlPlaneOptions,
	measureControlPlane,
} from "./control-plane.ts";
import { measureEncode } from "./encode.ts";
import { type Figure, figure, printFigures, quantile } from "./figure.ts";
import { type InjectionCost, measureInjection } from "./injection.ts";
import { measureMesh } from "./mesh.ts";
import { runBench } from "./run-bench.ts";
import { say } from "./say.ts";
import { machine } from "./server-process.ts";
import {
	measureStatus,
	type StatusCost,
	type StatusOptions,
} from "./status.ts";
import { measureMatrix } from "./status-matrix.ts";
import { measureStorm, type StormCost } from "./storm.ts";

const root = join(import.meta.dirname, "..");
const parts = [
	"control-plane",
	"scale",
	"status",
	"storm",
	"status-matrix",
	"encode",
	"mesh",
	"injection",
] as const;
type Part = (typeof parts)[number];

async function main(signal: AbortSignal): Promise<void> {
	const { values } = parseArgs({
		options: {
			only: { type: "string", multiple: true, default: [...parts] },
			quick: { type: "boolean", default: false },
			json: { type: "string" },
			write: { type: "boolean", default: false },
			program: { type: "string" },
			profile: { type: "string" },
		},
	});
	const wanted = values.only.map(parsePart);
	const needsBase = wanted.some((p) => p === "control-plane" || p === "scale");
	const needsServer =
		needsBase || wanted.some((p) => p === "status" || p === "storm");
	const program =
		values.program ?? (needsServer ? await buildProgram(signal) : "");
	const normal: ControlPlaneOptions = {
		program,
		...(values.quick
			? { services: 200, rules: 40, streams: 50, rounds: 20, idleMs: 2_000 }
			: {
					services: 1_000,
					rules: 200,
					streams: 200,
					rounds: 100,
					idleMs: 10_000,
				}),
		profileDir: values.profile,
		signal,
	};
	const large = { ...normal, services: normal.services * 5 };

	const figures: Figure[] = [];
	let base: ControlPlaneCost | undefined;
	if (needsBase) {
		say(describe(normal));
		base = await measureControlPlane(normal);
	}
	if (base && wanted.includes("control-plane"))
		figures.push(...controlPlaneFigures(base));
	if (base && wanted.includes("scale")) {
		say(describe(large));
		figures.push(...scaleFigures(base, await measureControlPlane(large)));
	}
	if (wanted.includes("status")) {
		say(`Status: ${describe(normal)}`);
		figures.push(...statusFigures(normal, await measureStatus(normal)));
	}
	if (wanted.includes("storm")) {
		const storm = {
			...normal,
			rules: normal.services,
			streams: normal.streams * 5,
			rounds: values.quick ? 5 : 20,
		};
		say(`Storm: ${describe(storm)}`);
		figures.push(...stormFigures(await measureStorm(storm)));
	}
	if (wanted.includes("status-matrix")) figures.push(...matrixFigures());
	if (wanted.includes("encode")) figures.push(...encodeFigures());
	if (wanted.includes("mesh")) figures.push(...meshFigures());
	if (wanted.includes("injection"))
		figures.push(
			...injectionFigures(
				await measureInjection(normal.services, values.quick ? 500 : 5_000),
			),
		);

	const table = printFigures(figures);
	console.log(`\n${table}\n`);
	if (values.json !== undefined)
		await writeFile(
			values.json,
			`${JSON.stringify(figures, (_, value: unknown) => value ?? null, 2)}\n`,
		);
	if (values.write)
		await writeFile(
			join(root, "bench/results/control-plane.md"),
			`# Figures of the control plane\n\nMade by \`npm run bench -- --write\`. ${machine()}. ${describe(normal)} Rows that begin with \`storm\` have five times as many streams and as many rules as services.\n\n${table}\n`,
		);
}

function parsePart(text: string): Part {
	const part = parts.find((one) => one === text);
	if (part !== undefined) return part;
	throw new Error(
		`There is no part ${text}; the parts are ${parts.join(", ")}.`,
	);
}

function describe({
	services,
	rules,
	streams,
	rounds,
}: ControlPlaneOptions): string {
	return `${services.toLocaleString("en")} services with 2 endpoints each in 20 namespaces, ${rules} RouteRules, ${streams} delta streams, ${rounds} changes of each kind.`;
}

function controlPlaneFigures(cost: ControlPlaneCost): readonly Figure[] {
	const { rule, endpoint } = cost;
	return [
		figure("rule-change-p50", quantile(rule.latenciesMs, 0.5), "ms", "≤ 40"),
		figure("rule-change-p99", quantile(rule.latenciesMs, 0.99), "ms", "≤ 100"),
		figure("rule-change-cpu", rule.cpuMs, "ms", "≤ 20"),
		figure("rule-change-bytes", rule.bytesPerStream, "B/stream", "< 4096"),
		figure("rule-change-generated", rule.generated, "resources", "≤ 2"),
		figure("endpoint-change-p50", quantile(endpoint.latenciesMs, 0.5), "ms"),
		figure("endpoint-change-p99", quantile(endpoint.latenciesMs, 0.99), "ms"),
		figure("endpoint-change-cpu", endpoint.cpuMs, "ms", "≤ 15"),
		figure(
			"endpoint-change-bytes",
			endpoint.bytesPerStream,
			"B/stream",
			"< 2048",
		),
		figure("endpoint-change-generated", endpoint.generated, "resources"),
		figure("first-sync-cpu", cost.syncCpuMs, "ms", "≤ 1500"),
		figure("first-sync-wall", cost.syncWallMs, "ms", "≤ 2500"),
		figure("first-sync-bytes", cost.syncBytesPerStream, "B/stream"),
		figure("rss-after-changes", cost.rssMb, "MB", "< 200"),
		figure("rss-when-idle", cost.idleRssMb, "MB"),
		figure("idle-cpu", cost.idlePercent, "% of a core", "< 1"),
		figure("start-cpu", cost.startCpuMs, "ms"),
		figure("start-wall", cost.startWallMs, "ms"),
	];
}

function scaleFigures(
	base: ControlPlaneCost,
	large: ControlPlaneCost,
): readonly Figure[] {
	const median = (cost: ControlPlaneCost, kind: "rule" | "endpoint"): number =>
		quantile(cost[kind].latenciesMs, 0.5);
	const changes = (["rule", "endpoint"] as const).flatMap((kind) => [
		figure(`${kind}-change-p50-5x`, median(large, kind), "ms"),
		figure(
			`${kind}-change-p50-factor-5x`,
			median(large, kind) / median(base, kind),
			"",
			"< 3",
		),
		figure(`${kind}-change-cpu-5x`, large[kind].cpuMs, "ms"),
		figure(
			`${kind}-change-cpu-factor-5x`,
			large[kind].cpuMs / base[kind].cpuMs,
			"",
			"< 3",
		),
		figure(
			`${kind}-change-bytes-5x`,
			large[kind].bytesPerStream,
			"B/stream",
			kind === "rule" ? "< 4096" : "< 2048",
		),
	]);
	return [
		...changes,
		figure("first-sync-cpu-5x", large.syncCpuMs, "ms"),
		figure("first-sync-wall-5x", large.syncWallMs, "ms"),
		figure("rss-after-changes-5x", large.rssMb, "MB"),
		figure("rss-when-idle-5x", large.idleRssMb, "MB"),
		figure("idle-cpu-5x", large.idlePercent, "% of a core"),
		figure("start-cpu-5x", large.startCpuMs, "ms"),
	];
}

function statusFigures(
	{ streams }: StatusOptions,
	cost: StatusCost,
): readonly Figure[] {
	const [none, all, twice] = cost.rssMb;
	return [
		figure("programmed-p50", quantile(cost.programmedMs, 0.5), "ms"),
		figure("programmed-p99", quantile(cost.programmedMs, 0.99), "ms", "< 150"),
		figure("status-writes-per-change", cost.writesPerChange, ""),
		figure("status-writes-per-transition", cost.writesPerTransition, "", "≤ 1"),
		figure("status-decisions-per-change", cost.decisionsPerChange, ""),
		figure("rss-without-proxies", none, "MB"),
		figure("rss-with-proxies", all, "MB"),
		figure("rss-with-twice-the-proxies", twice, "MB"),
		figure("rss-per-further-proxy", (twice - all) / streams, "MB"),
		figure("live-memory-without-proxies", cost.liveMb[0], "MB"),
		figure("live-memory-with-twice-the-proxies", cost.liveMb[2], "MB"),
		figure(
			"live-memory-per-proxy",
			(cost.liveMb[2] - cost.liveMb[0]) / (2 * streams),
			"MB",
			"≤ 0.3",
		),
	];
}

function stormFigures(cost: StormCost): readonly Figure[] {
	return [
		figure("storm-first-sync-wall", cost.syncWallMs, "ms"),
		figure("storm-first-sync-cpu", cost.syncCpuMs, "ms"),
		figure("storm-resources-per-proxy", cost.resourcesPerStream, ""),
		figure("storm-rss", cost.rssMb, "MB"),
		figure("storm-programmed-p50", quantile(cost.programmedMs, 0.5), "ms"),
		figure("storm-programmed-worst", Math.max(...cost.programmedMs), "ms"),
		figure("storm-all-rules-programmed", cost.allProgrammedMs, "ms"),
		figure("storm-all-rules-decisions", cost.allDecisionMs, "ms"),
		figure("storm-all-rules-writes-per-rule", cost.allWritesPerRule, ""),
		figure("storm-wall", cost.stormWallMs, "ms"),
		figure("storm-status-wall", cost.stormStatusMs, "ms"),
		figure("storm-cpu", cost.stormCpuMs, "ms"),
		figure("storm-status-decisions", cost.sweepMs, "ms"),
		figure("storm-bytes", cost.stormBytes, "B"),
		figure("storm-resources-sent-again", cost.stormResent, "", "≤ 0"),
	];
}

function matrixFigures(): readonly Figure[] {
	const cost = measureMatrix(1_000, 1_000);
	return [
		figure("status-1000x1000-all-live", cost.completeMs, "ms", "< 50"),
		figure("status-1000x1000-nobody-has", cost.nobodyMs, "ms", "< 50"),
		figure("status-1000x1000-half-have", cost.halfMs, "ms", "< 50"),
		figure("status-1000x1000-join-per-proxy", cost.joinMs / 1_000, "ms"),
		figure(
			"status-1000x1000-acknowledge-per-proxy",
			cost.acknowledgeMs / 1_000,
			"ms",
		),
		figure("status-1000x1000-leave-per-proxy", cost.leaveMs / 1_000, "ms"),
	];
}

function encodeFigures(): readonly Figure[] {
	return measureEncode().flatMap(({ name, library, own }) => {
		const key = name.replaceAll(",", "").replaceAll(" ", "-");
		return [
			figure(`encode-${key}`, own, "µs"),
			figure(`encode-${key}-times-faster-than-library`, library / own, ""),
		];
	});
}

function meshFigures(): readonly Figure[] {
	return measureMesh().flatMap(({ services, cold, rule, slice }) => [
		figure(`mesh-build-cold-${services}`, cold, "ms"),
		figure(`mesh-build-rule-${services}`, rule, "ms"),
		figure(`mesh-build-endpoint-${services}`, slice, "ms"),
	]);
}

function injectionFigures(cost: InjectionCost): readonly Figure[] {
	const { aloneMs, togetherMs } = cost;
	return [
		figure("injection-p50", quantile(aloneMs, 0.5), "ms"),
		figure("injection-p99", quantile(aloneMs, 0.99), "ms", "< 10"),
		figure("injection-8-at-once-p50", quantile(togetherMs, 0.5), "ms"),
		figure("injection-8-at-once-p99", quantile(togetherMs, 0.99), "ms"),
	];
}

await runBench(main);
