import { setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "../kube/kube-error.ts";
import { resources } from "../kube/resources.ts";
import { defineCommand } from "./command.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { clusterOptions } from "./install/cluster-options.ts";
import { objectsOfAnyProfile } from "./install/install-objects.ts";
import { type ApiServer, openApiServer } from "./install/open-api-server.ts";
import {
	type Doomed,
	installedElsewhere,
	planUninstall,
	type UninstallPlan,
} from "./install/uninstall-plan.ts";
import { plain } from "./print-table.ts";
import type { Terminal } from "./terminal.ts";

/** How long replicas may take to end: as long as their pods have, and room. Milliseconds. */
const patienceMs = 40_000;

/** `lateen uninstall`. */
export const uninstallCommand = defineCommand(
	{
		name: "uninstall",
		summary: "Take an installation out of a cluster",
		usage: "[--yes] [--crds] [flags]",
		details: [
			"Without --yes it only prints what it would delete. Webhooks go first, so that nobody waits for an answer of what is gone; then the replicas; then what they wrote, wherever it is, and the rest of the manifests with the namespace. Nothing of it has a finalizer, so nothing is waited for but the end of the replicas, and for that not for long.",
			"Meshes, RouteRules and ExternalServices stay with their kinds, and a later installation takes them up. With --crds they go, too: when there are any it asks first, and goes on after `yes` on the standard input.",
			"Pods keep their proxies, which keep what they had, until they are made anew: `kubectl rollout restart` of what makes them, best before.",
			"Exit codes: 0 it is done; 1 it was not wanted, another namespace has the installation, or Helm has to begin; 3 something could not be deleted, and everything else was.",
		],
		options: {
			yes: { type: "boolean", help: "Do it" },
			crds: {
				type: "boolean",
				help: "The CRDs, too, and with them every object of people",
			},
			...clusterOptions,
		},
		examples: [
			["What would go", "lateen uninstall"],
			["All but rules and their kinds", "lateen uninstall --yes"],
			["Everything, in a script", "echo yes | lateen uninstall --yes --crds"],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		if (positionals.length > 0)
			return usageError(`What is ${JSON.stringify(positionals[0])}?`);
		const { kubeconfig, context, namespace, crds } = values;
		const { environment } = terminal;
		const say = (...sentences: readonly string[]): void => {
			for (const one of sentences) terminal.err(`${plain(one)}\n`);
		};
		await using server = await openApiServer({
			...{ kubeconfig, context, environment },
		});
		const other = await installedElsewhere(server.client, namespace);
		if (other !== undefined) {
			say(
				`lateen uninstall: Lateen is installed in the namespace ${other}. Name it with --namespace.`,
			);
			return exitCode.negative;
		}
		const objects = objectsOfAnyProfile(namespace);
		const plan = await planUninstall(objects, server.client, namespace);
		for (const one of plan.strangers)
			say(`${one} stays: it is not labelled as a part of Lateen.`);
		const doomed = [
			...[...plan.webhooks, ...plan.deployment, ...plan.rest],
			...(crds ? plan.crds : []),
		];
		if (!values.yes) {
			for (const one of doomed)
				terminal.out(`would delete ${plain(printDoomed(one))}\n`);
			say(...notes(plan, crds));
			return exitCode.ok;
		}
		if (plan.helmRelease !== undefined) {
			say(
				`lateen uninstall: It was installed by Helm, which would go on taking it for installed. Say \`helm uninstall ${plan.helmRelease} --namespace ${namespace}\`, and then this again for what that leaves. Nothing was deleted.`,
			);
			return exitCode.negative;
		}
		if (crds && !(await isAgreed(plan, terminal))) {
			say("Nothing was deleted.");
			return exitCode.negative;
		}
		const code = await carryOut(plan, { server, namespace, crds, terminal });
		say(...notes(plan, crds));
		return code;
	},
);

function printDoomed({ resource, at }: Doomed): string {
	const { namespace, name } = at;
	return `${resource.kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

function notes(
	{ usersObjects, crds, injectedPods, helmRelease }: UninstallPlan,
	withCrds: boolean,
): readonly string[] {
	const sentences: string[] = [];
	if (helmRelease !== undefined)
		sentences.push(
			`It was installed by Helm, which has to begin: \`helm uninstall ${helmRelease}\`.`,
		);
	if (!withCrds && crds.length > 0)
		sentences.push(
			`The CRDs stay${usersObjects.size > 0 ? `, with ${printCounts(usersObjects)}` : ""}; --crds takes them, too.`,
		);
	if (injectedPods > 0)
		sentences.push(
			`Pods that have a proxy (${injectedPods}) keep it until they are made anew: \`kubectl get pods -A -l lateen.dev/injected\`.`,
		);
	return sentences;
}

function printCounts(counts: ReadonlyMap<string, number>): string {
	return [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
}

/** Asks where something of people would go. */
async function isAgreed(
	{ usersObjects }: UninstallPlan,
	terminal: Terminal,
): Promise<boolean> {
	if (usersObjects.size === 0) return true;
	terminal.err(
		`With the CRDs go ${printCounts(usersObjects)}, for good. Type yes to go on: `,
	);
	const answer = await terminal.readLine();
	if (!terminal.inputIsTerminal) terminal.err("\n");
	return answer.trim() === "yes";
}

async function carryOut(
	plan: UninstallPlan,
	{
		server,
		namespace,
		crds,
		terminal,
	}: {
		readonly server: ApiServer;
		readonly namespace: string;
		readonly crds: boolean;
		readonly terminal: Terminal;
	},
): Promise<ExitCode> {
	let code: ExitCode = exitCode.ok;
	const remove = async (list: readonly Doomed[]): Promise<void> => {
		for (const one of list) {
			const { resource, at, uid } = one;
			try {
				if (await server.client.delete(resource, at, { uid }))
					terminal.out(`deleted ${plain(printDoomed(one))}\n`);
			} catch (error) {
				if (!(error instanceof KubeError) || error.status === undefined)
					throw error;
				code = exitCode.failed;
				terminal.err(`${plain(`lateen uninstall: ${error.message}`)}\n`);
			}
		}
	};
	await remove(plan.webhooks);
	await remove(plan.deployment);
	if (!(await replicasEnded(server, namespace))) {
		code = exitCode.failed;
		terminal.err(
			`lateen uninstall: Replicas still run after ${patienceMs / 1000} s, and may write again what goes now. Call it once more when they have ended.\n`,
		);
	}
	// What they wrote while they ended was not there before.
	const objects = objectsOfAnyProfile(namespace);
	const now = await planUninstall(objects, server.client, namespace);
	await remove(now.rest);
	if (crds) await remove(now.crds);
	return code;
}

async function replicasEnded(
	{ client }: ApiServer,
	namespace: string,
): Promise<boolean> {
	const endMs = performance.now() + patienceMs;
	for (;;) {
		const { items } = await client.list(
			resources.Pod,
			{ namespace, labelSelector: "app=lateen", limit: 1 },
			{ metadataOnly: true },
		);
		if (items.length === 0) return true;
		if (performance.now() > endMs) return false;
		await sleep(500);
	}
}
