/**
 * What it costs to find one object that Envoy refuses among a thousand that
 * changed together: a real Envoy with a smaller limit for regular expressions,
 * all virtual hosts in one response. `node bench/bisect.ts` prints it.
 */
import { eventually } from "../test/testkit/eventually.ts";
import { LiveMesh } from "../test/testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../test/testkit/mesh-yaml.ts";
import { type Figure, figure, printFigures } from "./figure.ts";

/** Makes Envoy refuse what validation lets through. */
const shortRegexes = JSON.stringify({
	layered_runtime: {
		layers: [
			{
				name: "bench",
				static_layer: { "re2.max_program_size.error_level": 60 },
			},
		],
	},
});

const longRegex = "/(abc|def|ghi|jkl|mno|pqr|stu|vwx){2,9}/[0-9a-f]{20,40}";

/** Measures it with so many services, one rule each. */
export async function measureBisect(count = 1000): Promise<readonly Figure[]> {
	const names = Array.from({ length: count }, (_, index) => `s${index}`);
	const badOne = names[Math.floor(count * 0.613)];
	await using mesh = await LiveMesh.start(
		names.map((name) => serviceYaml(name)).join(""),
	);
	const caller = await mesh.caller("default/caller", {
		args: ["--config-yaml", shortRegexes],
	});
	const rules = names.map((name) =>
		ruleYaml(name, {
			destination: { name },
			...(name === badOne && { match: [{ path: { regex: longRegex } }] }),
			respond: { status: 200, body: "x" },
		}),
	);
	const before = await countersOf(mesh);
	const startMs = performance.now();
	mesh.write("rules.yaml", rules.join(""));
	let liveMs = 0;
	await eventually(async () => {
		const { body } = await caller.ask(`http://${names.at(-1)}/`);
		if (body !== "x") throw new Error("The others are not live yet.");
		liveMs ||= performance.now() - startMs;
		const { held } = await countersOf(mesh);
		if (held !== 1) throw new Error(`${held} objects are held back.`);
	}, 60_000);
	const doneMs = performance.now() - startMs;
	const after = await countersOf(mesh);
	return [
		figure(
			`bisect, ${count}: responses of virtual hosts`,
			after.responses - before.responses,
			"",
		),
		figure(
			`bisect, ${count}: refused ones among them`,
			after.refused - before.refused,
			"",
		),
		figure(`bisect, ${count}: file written → last good one live`, liveMs, "ms"),
		figure(`bisect, ${count}: file written → bad one found`, doneMs, "ms"),
	];
}

async function countersOf(mesh: LiveMesh) {
	const text = await mesh.admin("/metrics");
	const value = (pattern: RegExp): number =>
		Number(pattern.exec(text)?.[1] ?? 0);
	return {
		responses: value(
			/^lateen_xds_responses_total\{type="virtualHost"\} (\d+)$/m,
		),
		refused: value(/^lateen_xds_rejected_total\{type="virtualHost"\} (\d+)$/m),
		held: value(/^lateen_quarantined_objects (\d+)$/m),
	};
}

if (import.meta.main) console.log(printFigures(await measureBisect()));
