/**
 * Zero failures: `npm run zero-failures -- --seed S --changes N [--shape FILE]`
 *
 * Makes a random sequence of valid changes in the folder that a `lateen serve`
 * watches, while requests go through real Envoys, and compares in the end what
 * the Envoys have with a fresh render of the folder. The last line says
 * `requests R, failed F`; the exit code is 1 when a request failed or the end
 * differs. After a failure the shortest sequence that fails is looked for,
 * unless `--no-bisect` is given.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { type RunResult, run } from "./run.ts";
import { type NamedScenario, scenarios, shapeFor } from "./scenarios.ts";
import { readShape, type Shape } from "./shape.ts";

const usage =
	"npm run zero-failures -- [--seed S] [--changes N] [--shape FILE] [--scenario NAME] [--no-bisect]";

/** Runs that look for the shortest sequence that fails. */
const mostTries = 8;

interface Wanted {
	readonly seed: number;
	readonly changes: number;
	readonly shape: Shape;
	readonly scenario: NamedScenario;
	readonly bisect: boolean;
}

const wanted = readArguments();
process.env["LATEEN_ENVOY"] = await ensureEnvoy();
const { seed, changes } = wanted;
const result = await once(changes);
if (isBad(result)) {
	console.log(`It fails with --seed ${seed} --changes ${changes}.`);
	if (wanted.bisect) await shortestPrefix(result);
	process.exitCode = 1;
}
console.log(`requests ${result.requests}, failed ${result.failed}`);

function readArguments(): Wanted {
	const { values } = parseArgs({
		allowNegative: true,
		options: {
			seed: { type: "string", default: "1" },
			changes: { type: "string" },
			shape: {
				type: "string",
				default: join(import.meta.dirname, "shapes/default.yaml"),
			},
			scenario: { type: "string", default: "changes" },
			bisect: { type: "boolean", default: true },
		},
	});
	const scenario = scenarios[values.scenario];
	if (scenario === undefined)
		throw new Error(
			`--scenario is one of ${Object.keys(scenarios).join(", ")}. Usage: ${usage}`,
		);
	return {
		seed: whole("seed", values.seed),
		changes: whole("changes", values.changes ?? `${scenario.changes ?? 1000}`),
		shape: shapeFor(scenario, readShape(values.shape)),
		scenario,
		bisect: values.bisect,
	};
}

function whole(name: string, text: string): number {
	if (!/^\d{1,9}$/.test(text))
		throw new Error(`--${name} is a whole number. Usage: ${usage}`);
	return Number(text);
}

async function once(changes: number): Promise<RunResult> {
	const { seed, shape, scenario } = wanted;
	const result = await run({
		seed,
		changes,
		shape,
		...(scenario.beside && { scenario: scenario.beside }),
		print: (line) => console.log(line),
	});
	const { requests, failed, slowestMs, tookMs, answeredMs } = result;
	for (const line of result.differences) console.log(`In the end ${line}`);
	for (const line of result.rejections) console.log(`Rejected: ${line}`);
	for (const line of result.unanswered) console.log(`Never answered: ${line}`);
	console.log(
		[
			`seed ${seed}: ${changes} changes in ${(tookMs / 1000).toFixed(1)} s`,
			`${requests} requests, ${failed} failed`,
			`longest wait for an answer beyond the application's time, delays by rules included, ${Math.round(slowestMs)} ms`,
			`a new target answers after ${Math.round(quantile(answeredMs, 0.5))} ms (p50), ${Math.round(quantile(answeredMs, 0.99))} ms (p99)`,
		].join("; "),
	);
	return result;
}

function isBad(result: RunResult): boolean {
	const { differences, rejections, unanswered } = result;
	const wrong = [...differences, ...rejections, ...unanswered];
	return result.failed > 0 || wrong.length > 0;
}

/** Halves the number of changes as long as fewer still fail. What depends on timing may need another look. */
async function shortestPrefix(first: RunResult): Promise<void> {
	let fails = first.failures[0]?.changes ?? changes;
	let passes = 0;
	for (let tries = 0; tries < mostTries && fails - passes > 1; tries++) {
		const middle = Math.floor((fails + passes) / 2);
		const result = await once(middle);
		if (isBad(result)) fails = Math.min(middle, lastCause(result, middle));
		else passes = middle;
	}
	console.log(
		`The shortest sequence that failed: --seed ${seed} --changes ${fails}. The longest that passed has ${passes} changes${passes < fails ? "" : ", so timing has a part in it"}.`,
	);
}

function lastCause({ failures }: RunResult, changes: number): number {
	return failures[0]?.changes ?? changes;
}

function quantile(values: readonly number[], part: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
}
