import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
	KubectlError,
	type KubectlTarget,
	runKubectl,
} from "../cluster/kubectl.ts";
import type { Bookinfo } from "./bookinfo.ts";
import { DemoError } from "./demo-error.ts";
import { countVersions, printCounts } from "./page.ts";
import {
	beJason,
	countCalls,
	edit,
	expectOnly,
	expectShare,
	SAMPLE_SIZE,
} from "./try-three-things.ts";

/**
 * Does with kubectl what the demo on Kubernetes invites people to do, and tells
 * what it saw.
 *
 * Fails when: something else happens than the demo promises; then with a
 *   `DemoError`.
 */
export async function tryKubernetesThings(
	bookinfo: Bookinfo,
	cluster: KubectlTarget,
	say: (line: string) => void,
): Promise<void> {
	const kubectl: Kubectl = (args, input) => runKubectl(cluster, args, input);
	await shiftTraffic(bookinfo, kubectl, say);
	await beJason(bookinfo, say);
	await breakRules(bookinfo, kubectl, say);
	await countCalls(bookinfo, say);
}

type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

async function shiftTraffic(
	{ url, files, publish }: Bookinfo,
	kubectl: Kubectl,
	say: (line: string) => void,
): Promise<void> {
	say("1. Shift traffic");
	await programmed(kubectl, "reviews");
	const before = await countVersions(url, SAMPLE_SIZE);
	say(
		`   rules/reviews.yaml says v1 75, v2 0, v3 25; ${SAMPLE_SIZE} requests: ${printCounts(before)}`,
	);
	expectShare(before, "v1", 0.75);
	expectShare(before, "v3", 0.25);
	expectOnly(before, ["v1", "v3"]);

	await edit(join(files, "rules/reviews.yaml"), (text) =>
		text
			.replace(/(v1}, weight: )\d+/, "$10")
			.replace(/(v3}, weight: )\d+/, "$1100"),
	);
	await publish();
	const appliedMs = performance.now();
	await programmed(kubectl, "reviews");
	const tookMs = Math.round(performance.now() - appliedMs);
	// There is nothing more to wait for: not one request may go elsewhere now.
	const after = await countVersions(url, SAMPLE_SIZE);
	say(
		`   applied with v1 0, v3 100; kubectl wait for Programmed took ${tookMs} ms; from then on ${SAMPLE_SIZE} requests: ${printCounts(after)}`,
	);
	expectOnly(after, ["v3"]);
}

async function breakRules(
	{ url, files, controlPlane }: Bookinfo,
	kubectl: Kubectl,
	say: (line: string) => void,
): Promise<void> {
	say("3. Break a rule");
	const apply = (yaml: string) => kubectl(["apply", "-f", "-"], yaml);
	const reviews = await readFile(join(files, "rules/reviews.yaml"), "utf8");
	const weight = await refusal(() =>
		apply(reviews.replace(/(v3}, weight: )/, "$1-")),
	);
	say(`   kubectl apply with weight -100: ${weight}`);
	expectText(weight, "spec.route[2].weight");

	const good = await readFile(join(files, "rules/reviews-jason.yaml"), "utf8");
	const bad = good.replace(": jason}", ': {regex: "(?=jason)"}}');
	const path = "spec.match[0].headers[end-user].regex";
	const regex = await refusal(() => apply(bad));
	say(`   kubectl apply with regex (?=jason): ${regex}`);
	expectText(regex, path);

	process.kill(controlPlane.pid ?? Number.NaN, "SIGSTOP");
	try {
		await apply(bad);
	} finally {
		process.kill(controlPlane.pid ?? Number.NaN, "SIGCONT");
	}
	say("   while Lateen is stopped, the same is stored; when it goes on:");
	await waitIn(kubectl, "reviews-jason", "condition=Accepted=false");
	const table = await kubectl(["get", "rr"]);
	say(table.trimEnd().replaceAll(/^/gm, "     "));
	const accepted = await kubectl([
		...["get", "rr", "reviews-jason", "-o"],
		'jsonpath={.status.conditions[?(@.type=="Accepted")].message}',
	]);
	say(`   its status: ${accepted}`);
	expectText(accepted, path);
	const during = await countVersions(url, 50, "jason");
	say(`   the last good form stays in force: jason ${printCounts(during)}`);
	expectOnly(during, ["v2"]);

	await apply(good);
	await waitIn(kubectl, "reviews-jason", "condition=Ready");
	say("   mended: it is Ready again");
}

async function programmed(kubectl: Kubectl, rule: string): Promise<void> {
	await waitIn(kubectl, rule, "condition=Programmed");
}

async function waitIn(
	kubectl: Kubectl,
	rule: string,
	what: string,
): Promise<void> {
	try {
		await kubectl(["wait", `--for=${what}`, `rr/${rule}`, "--timeout=30s"]);
	} catch (error) {
		if (!(error instanceof KubectlError)) throw error;
		const table = await kubectl(["get", "rr"]);
		throw new DemoError(
			`Waited in vain for ${what} of ${rule} (${error.message}):\n${table}`,
		);
	}
}

/** What kubectl complains of, in one line. */
async function refusal(act: () => Promise<unknown>): Promise<string> {
	try {
		await act();
	} catch (error) {
		if (error instanceof KubectlError)
			return error.message.replaceAll(/\s+/g, " ");
		throw error;
	}
	throw new DemoError("A bad rule was stored.");
}

function expectText(text: string, part: string): void {
	if (!text.includes(part))
		throw new DemoError(`This should name ${part}: ${text}`);
}
