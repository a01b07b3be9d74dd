import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bookinfo } from "./bookinfo.ts";
import { DemoError } from "./demo-error.ts";
import { countVersions, printCounts, readPage } from "./page.ts";
import { runLateen } from "./run-lateen.ts";

/** Requests whose shares are compared with the weights. */
export const SAMPLE_SIZE = 400;

/**
 * Standard deviations that a share may lie from its weight: by chance alone
 * more happens in fewer than one of 10,000 runs.
 */
const SIGMAS = 4;

/** How long a saved file may take to show, before that counts as a failure. */
const CHANGE_MS = 15_000;

/**
 * Does what the demo invites people to do, and tells what it saw.
 *
 * Fails when: something else happens than the demo promises; then with a
 *   `DemoError`.
 */
export async function tryThreeThings(
	bookinfo: Bookinfo,
	say: (line: string) => void,
): Promise<void> {
	await shiftTraffic(bookinfo, say);
	await beJason(bookinfo, say);
	await breakRule(bookinfo, say);
	await countCalls(bookinfo, say);
}

async function shiftTraffic(
	{ url, files }: Bookinfo,
	say: (line: string) => void,
): Promise<void> {
	say("1. Shift traffic");
	const file = join(files, "rules/reviews.yaml");
	const before = await countVersions(url, SAMPLE_SIZE);
	say(
		`   rules/reviews.yaml says v1 75, v2 0, v3 25; ${SAMPLE_SIZE} requests: ${printCounts(before)}`,
	);
	expectShare(before, "v1", 0.75);
	expectShare(before, "v3", 0.25);
	expectOnly(before, ["v1", "v3"]);

	await edit(file, (text) =>
		text
			.replace(/(v1}, weight: )\d+/, "$10")
			.replace(/(v3}, weight: )\d+/, "$1100"),
	);
	const savedMs = performance.now();
	const tookMs = await until("all traffic to go to v3", savedMs, async () => {
		const counts = await countVersions(url, 12);
		return counts.get("v3") === 12;
	});
	const after = await countVersions(url, SAMPLE_SIZE);
	say(
		`   saved with v1 0, v3 100; at v3 within ${tookMs} ms; ${SAMPLE_SIZE} requests: ${printCounts(after)}`,
	);
	expectOnly(after, ["v3"]);
}

/** Logs in as jason, as somebody else and as tester, and compares who sees what. */
export async function beJason(
	{ url }: Bookinfo,
	say: (line: string) => void,
): Promise<void> {
	say("2. Send the user jason to v2");
	const jason = await countVersions(url, 50, "jason");
	const others = await countVersions(url, 50, "maria");
	say(`   jason, 50 requests: ${printCounts(jason)}`);
	say(`   maria, 50 requests: ${printCounts(others)}`);
	expectOnly(jason, ["v2"]);
	expectOnly(others, ["v3"]);
	const { reviews } = await readPage(url, "tester");
	const ratings = reviews.available ? reviews.ratings : undefined;
	if (ratings?.available !== false) {
		throw new DemoError(
			"rules/ratings-tester.yaml breaks ratings for tester, but tester sees stars.",
		);
	}
	say(`   tester sees no stars: ${ratings.reason}`);
}

async function breakRule(
	{ url, files, controlPlane }: Bookinfo,
	say: (line: string) => void,
): Promise<void> {
	say("3. Break a rule");
	const file = join(files, "rules/reviews.yaml");
	const good = await readFile(file, "utf8");
	await edit(file, (text) => text.replace(/(v3}, weight: )/, "$1-"));
	const path = "spec.route[2].weight";
	const refused = await runLateen(["validate", files]);
	const told = refused.output.split("\n").find((line) => line.includes(path));
	if (refused.code === 0 || told === undefined) {
		throw new DemoError(
			`lateen validate (exit code ${refused.code}) does not name ${path}:\n${refused.output.trim()}`,
		);
	}
	say(`   lateen validate: ${told.trim()}`);
	await until(
		"the control plane's log to name the field",
		performance.now(),
		async () => (await readFile(controlPlane.logFile, "utf8")).includes(path),
	);
	const logged = (await readFile(controlPlane.logFile, "utf8"))
		.split("\n")
		.findLast((line) => line.includes(path));
	say(`   control plane's log: ${logged?.trim()}`);
	const during = await countVersions(url, 100);
	say(`   the last good form stays in force: ${printCounts(during)}`);
	expectOnly(during, ["v3"]);

	await edit(file, () =>
		good
			.replace(/(v1}, weight: )\d+/, "$1100")
			.replace(/(v3}, weight: )\d+/, "$10"),
	);
	const tookMs = await until(
		"the mended rule to work",
		performance.now(),
		async () => {
			const counts = await countVersions(url, 12);
			return counts.get("v1") === 12;
		},
	);
	const { code, output } = await runLateen(["validate", files]);
	if (code !== 0) {
		throw new DemoError(`The mended files are refused:\n${output.trim()}`);
	}
	say(
		`   mended with v1 100: lateen validate is content, at v1 within ${tookMs} ms`,
	);
}

/** Shows that the calls went through the sidecars: each counts what it let in. */
export async function countCalls(
	{ envoys }: Bookinfo,
	say: (line: string) => void,
): Promise<void> {
	const counts: string[] = [];
	for (const [name, admin] of envoys) {
		const response = await fetch(
			`http://${admin}/stats?filter=^http\\..*downstream_rq_completed$`,
		);
		let total = 0;
		for (const line of (await response.text()).split("\n")) {
			const match = /^http\.(.*)\.downstream_rq_completed: (\d+)$/.exec(line);
			if (match !== null && match[1] !== "admin") total += Number(match[2]);
		}
		counts.push(`${name} ${total}`);
		if (total === 0) {
			throw new DemoError(`No request went through the Envoy of ${name}.`);
		}
	}
	say(`Requests that each Envoy has seen: ${counts.join(", ")}`);
}

/** Fails unless this version answered about as often as it should. */
export function expectShare(
	counts: ReadonlyMap<string, number>,
	version: string,
	share: number,
): void {
	const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
	const seen = (counts.get(version) ?? 0) / total;
	const allowed = SIGMAS * Math.sqrt((share * (1 - share)) / total);
	if (Math.abs(seen - share) > allowed) {
		throw new DemoError(
			`${version} should answer ${100 * share} % (± ${(100 * allowed).toFixed(1)}), but: ${printCounts(counts)}`,
		);
	}
}

/** Fails when anything but these versions answered. */
export function expectOnly(
	counts: ReadonlyMap<string, number>,
	versions: readonly string[],
): void {
	if ([...counts.keys()].some((version) => !versions.includes(version))) {
		throw new DemoError(
			`Only ${versions.join(" and ")} should answer, but: ${printCounts(counts)}`,
		);
	}
}

/** Replaces the file in one step, as editors do. */
export async function edit(
	file: string,
	change: (text: string) => string,
): Promise<void> {
	const old = await readFile(file, "utf8");
	const text = change(old);
	if (text === old) throw new Error(`Nothing to change in ${file}.`);
	await writeFile(`${file}.new`, text);
	await rename(`${file}.new`, file);
}

/** Milliseconds from `sinceMs` until the condition held. */
async function until(
	what: string,
	sinceMs: number,
	condition: () => Promise<boolean>,
): Promise<number> {
	while (!(await condition())) {
		if (performance.now() - sinceMs > CHANGE_MS) {
			throw new DemoError(`Waited ${CHANGE_MS / 1000} s in vain for ${what}.`);
		}
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	return Math.round(performance.now() - sinceMs);
}
