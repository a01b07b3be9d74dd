// What pipelines do with the manifests, again and again: apply them, ask what applying them would change, and wait until everything is current.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { stringify } from "yaml";
import { ClusterReplica } from "../testkit/cluster-replica.ts";
import { eventually } from "../testkit/eventually.ts";
import { kstatusOf } from "../testkit/kstatus.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";

const run = promisify(execFile);
const MANIFESTS = join(import.meta.dirname, "../../manifests");
const BASE = join(MANIFESTS, "base");
const system = "lateen-system";
const kinds = ["mutating", "validating"] as const;

/** Client-side apply merges by kubectl and an annotation, server-side apply by the API server and owners of fields. */
for (const mode of ["--server-side=true", "--server-side=false"])
	describe(`the manifests in a pipeline that applies with ${mode}`, function () {
		this.timeout(240_000);
		let cluster: OwnCluster;
		let replica: ClusterReplica;
		const apply = (folder: string): Promise<string> =>
			kubectl(cluster, ["apply", mode, "-k", folder]);

		before(async () => {
			cluster = await ownCluster({ crds: false });
			await apply(BASE);
			replica = await ClusterReplica.start({
				...{ cluster, namespace: system, name: "lateen-0" },
			});
			await eventually(async () => {
				for (const kind of kinds)
					expect(bundlesOf(await configuration(kind))).to.not.include("");
			});
		});
		after(async () => {
			await replica?.[Symbol.asyncDispose]();
			await cluster?.[Symbol.asyncDispose]();
		});

		const pathOf = (kind: string): string =>
			`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
		const raw = (path: string): Promise<string> =>
			kubectl(cluster, ["get", "--raw", path]);
		const configuration = async (kind: string): Promise<Configuration> =>
			JSON.parse(await raw(`${pathOf(kind)}/lateen`)) as Configuration;

		for (const folder of ["base", "overlays/one-replica", "overlays/ha"])
			for (const diff of ["--server-side=true", "--server-side=false"])
				it(`shows no difference after applying ${folder}, by kubectl diff ${diff}`, async () => {
					await apply(join(MANIFESTS, folder));
					const said = await run(cluster.kubectl, [
						...["--kubeconfig", cluster.kubeconfig, "diff", diff],
						...["-k", join(MANIFESTS, folder)],
					]).then(
						({ stdout }) => stdout,
						(error: unknown) => outputOf(error),
					);
					expect(changesIn(said)).to.deep.equal([]);
				});

		it("shows what somebody has changed", async () => {
			await kubectl(cluster, [
				...["-n", system, "scale", "deployment", "lateen", "--replicas=7"],
			]);
			const said = await run(cluster.kubectl, [
				...["--kubeconfig", cluster.kubeconfig, "diff", "-k", BASE],
			]).then(
				() => "",
				(error: unknown) => outputOf(error),
			);
			expect(said).to.match(/^-.*replicas: 7$/m);
			// Whoever scales by hand owns the number from then on.
			await kubectl(cluster, [
				...["apply", mode, "-k", BASE],
				...(mode.endsWith("true") ? ["--force-conflicts"] : []),
			]);
		});

		it("never takes the authority from webhooks, not even for a moment, when it applies again or something new", async () => {
			const newer = new Map<string, string>();
			for (const kind of kinds) {
				const { metadata, ...rest } = await configuration(kind);
				const { name, labels } = metadata;
				newer.set(
					kind,
					stringify({
						...rest,
						metadata: { name, labels },
						webhooks: rest.webhooks.map(
							({ clientConfig: { service }, ...one }) => ({
								...one,
								clientConfig: { service },
								timeoutSeconds: 3,
							}),
						),
					}),
				);
			}
			const before = await Promise.all(kinds.map(configuration));
			const since = before.map(({ metadata }) => metadata.resourceVersion);
			await apply(BASE);
			for (const text of newer.values())
				await kubectl(cluster, ["apply", mode, "-f", "-"], text);
			await apply(BASE);
			for (const [index, kind] of kinds.entries()) {
				// All that has become of it, one after the other, as whoever watches sees it.
				const said = await raw(
					`${pathOf(kind)}?watch=true&timeoutSeconds=2&resourceVersion=${since[index]}`,
				);
				const events = said
					.trim()
					.split("\n")
					.map((line) => JSON.parse(line) as WatchEvent);
				expect(events.map(({ type }) => type)).to.deep.equal([
					...["MODIFIED", "MODIFIED"],
				]);
				const wanted = before[index] && bundlesOf(before[index]);
				expect(wanted).to.not.include("");
				for (const { object } of events)
					expect(bundlesOf(object)).to.deep.equal(wanted);
				expect(events[0]?.object.webhooks[0]?.timeoutSeconds).to.equal(3);
			}
		});

		describe("and waits by the rules of kstatus", () => {
			const statusOf = async (what: string): Promise<string> =>
				kstatusOf(
					JSON.parse(await kubectl(cluster, ["get", what, "-o", "json"])),
				);
			const rule = (timeout: string): Promise<string> =>
				kubectl(
					cluster,
					["apply", mode, "-f", "-"],
					JSON.stringify({
						apiVersion: "lateen.dev/v1alpha1",
						kind: "RouteRule",
						metadata: { name: "reviews", namespace: "default" },
						spec: { destination: { name: "reviews" }, timeout },
					}),
				);
			const mesh = {
				apiVersion: "lateen.dev/v1alpha1",
				kind: "Mesh",
				metadata: { name: "default" },
			};

			it("sees CRDs become current", async () => {
				for (const kind of ["routerules", "meshes", "externalservices"])
					expect(await statusOf(`crd/${kind}.lateen.dev`)).to.equal("Current");
			});

			it("takes nothing for current that nobody has looked at", async () => {
				await replica[Symbol.asyncDispose]();
				await rule("1s");
				await kubectl(cluster, ["apply", mode, "-f", "-"], stringify(mesh));
				expect(await statusOf("routerule/reviews")).to.equal("InProgress");
				expect(await statusOf("mesh/default")).to.equal("InProgress");
			});

			it("waits for what a rule names, and sees it become current with each change", async () => {
				replica = await ClusterReplica.start({
					...{ cluster, namespace: system, name: "lateen-1" },
				});
				await eventually(async () => {
					expect(await statusOf("mesh/default")).to.equal("Current");
					expect(
						await kubectl(cluster, [
							...["get", "routerule", "reviews", "-o"],
							'jsonpath={.status.conditions[?(@.type=="ResolvedRefs")].status}',
						]),
					).to.equal("False");
				}, 60_000);
				expect(await statusOf("routerule/reviews")).to.equal("InProgress");
				await kubectl(cluster, [
					...["create", "service", "clusterip", "reviews", "--tcp=80:8080"],
				]);
				for (const timeout of ["2s", "3s"]) {
					await rule(timeout);
					await eventually(async () =>
						expect(await statusOf("routerule/reviews")).to.equal("Current"),
					);
				}
			});

			it("and then finds no difference in a Mesh that has a status", async () => {
				const said = await run("sh", [
					...[
						"-c",
						`printf '%s' "$0" | "$@"`,
						stringify(mesh),
						cluster.kubectl,
					],
					...["--kubeconfig", cluster.kubeconfig, "diff", mode, "-f", "-"],
				]).then(
					({ stdout }) => stdout,
					(error: unknown) => outputOf(error),
				);
				expect(said).to.equal("");
			});
		});
	});

interface Configuration {
	readonly metadata: {
		readonly name: string;
		readonly labels: Readonly<Record<string, string>>;
		readonly resourceVersion: string;
	};
	readonly webhooks: readonly {
		readonly timeoutSeconds: number;
		readonly clientConfig: {
			readonly service: unknown;
			readonly caBundle?: string;
		};
	}[];
}

interface WatchEvent {
	readonly type: string;
	readonly object: Configuration;
}

function bundlesOf({ webhooks }: Configuration): readonly string[] {
	return webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? "");
}

/**
 * What a diff says is different, and what went wrong. kubectl's own copy of what was applied before, in an annotation of
 * client-side apply, is written a little differently by its server-side diff; a Deployment counts that as a generation.
 */
function changesIn(said: string): readonly string[] {
	return said
		.split("\n")
		.filter((line) => /^([-+](?![-+])|Error|W\d)/.test(line))
		.filter((line) => !/^[-+] ( {5}\{"apiVersion":| generation: )/.test(line));
}

/** All that a program said that has failed. */
function outputOf(error: unknown): string {
	const { stdout, stderr } = error as {
		readonly stdout: string;
		readonly stderr: string;
	};
	return `${stdout}${stderr}`;
}
