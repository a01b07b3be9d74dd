// From the release before to this one and back, under traffic, with pods whose proxies stay as they are meanwhile.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { ensureHelm } from "../../hack/ensure-kubernetes.ts";
import { programVersion } from "../../src/settings/program-version.ts";
import { eventually } from "../testkit/eventually.ts";
import { loadWhile } from "../testkit/kind-load.ts";
import { installLateen } from "../testkit/kind-mesh.ts";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { podObject, ruleObject } from "../testkit/kind-objects.ts";
import { KindWorld } from "../testkit/kind-world.ts";
import { kstatusOf } from "../testkit/kstatus.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import type { Load } from "../testkit/pod-app.ts";
import {
	makePreviousRelease,
	PREVIOUS_VERSION,
	type PreviousRelease,
} from "../testkit/previous-release.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);
const CHART = join(import.meta.dirname, "../../manifests/chart");
const system = "lateen-system";
const PATIENCE_MS = 120_000;
/** Requests a second from each of the two callers. */
const RATE = 50;

describe("an upgrade", () => {
	let world: KindWorld;
	let meshed: KindNamespace;
	let previous: PreviousRelease;

	before(async function () {
		// Both releases' images, a cluster, and pods.
		this.timeout(600_000);
		world = await KindWorld.start();
		({ meshed } = world);
		previous = await makePreviousRelease(world.cluster);
		await apply(previous.manifests);
		await rolledOut();
		await runsOnly(PREVIOUS_VERSION);
		// Pods as the release before makes them.
		for (const name of ["web-v1", "web-v2"])
			await meshed.kubectl("rollout", "restart", `deployment/${name}`);
		await meshed.kubectl("delete", "pod", "client", "--timeout=120s");
		await meshed.apply(podObject("client"));
		await meshed.ready("deployment/web-v1", "deployment/web-v2", "pod/client");
		await eventually(
			async () =>
				expect(await proxyVersions()).to.deep.equal([PREVIOUS_VERSION]),
			PATIENCE_MS,
		);
		await meshed.apply(ruleObject("web", toVersion("v2")));
		await programmed();
	});
	after(async () => {
		await kubectl(world.cluster, [
			...["-n", system, "delete", "secret", "-l", "owner=helm"],
		]);
		previous?.[Symbol.dispose]();
		await world?.[Symbol.asyncDispose]();
	});

	const apply = (folder: string): Promise<string> =>
		kubectl(world.cluster, [
			...["apply", "--server-side", "--force-conflicts", "-k", folder],
		]);
	const rolledOut = (): Promise<string> =>
		world.inSystem(
			...["rollout", "status", "deployment/lateen", "--timeout=180s"],
		);
	/** Waits until no replica of another version is left: one that ends still injects. */
	const runsOnly = async (version: string): Promise<void> => {
		await eventually(async () => {
			const images = await world.inSystem(
				...["get", "pods", "-l", "app=lateen", "-o"],
				"jsonpath={.items[*].spec.containers[0].image}",
			);
			expect([...new Set(images.split(" "))]).to.deep.equal([
				`lateen:${version}`,
			]);
		}, PATIENCE_MS);
	};
	/** Of the pods with proxies. */
	const proxyVersions = async (): Promise<readonly string[]> => {
		const said = await meshed.kubectl(
			...["get", "pods", "-o"],
			'jsonpath={range .items[*]}{.metadata.labels.lateen\\.dev/injected}{"\\n"}{end}',
		);
		return [...new Set(said.trim().split("\n"))];
	};
	const programmed = (): Promise<string> =>
		meshed.kubectl(
			...["wait", "--for=condition=Programmed", "routerule/web"],
			"--timeout=120s",
		);
	const ruleUid = (): Promise<string> =>
		meshed.kubectl("get", "routerule", "web", "-o", "jsonpath={.metadata.uid}");
	const toVersion = (version: string): object => ({
		destination: { name: "web" },
		route: [{ labels: { version } }],
	});

	/** Asks all the while, from a pod with a proxy and from one without, and expects all answers. */
	const losesNothing = async (
		act: () => Promise<unknown>,
	): Promise<readonly [meshed: Load, plain: Load]> => {
		const loads = await loadWhile(
			[
				{ namespace: meshed, pod: "client", urls: ["http://web/"], rate: RATE },
				{
					namespace: world.plain,
					pod: "client",
					urls: [`http://web.${meshed.name}/`],
					rate: RATE,
				},
			],
			act,
		);
		for (const { sent, ok, failures } of loads) {
			expect(failures).to.deep.equal({});
			expect(ok).to.equal(sent);
			expect(sent).to.be.greaterThan(2 * RATE);
		}
		return loads;
	};
	/** What the program of this version finds that is not good, as `about: message`. */
	const check = async (): Promise<readonly string[]> => {
		const out = await world.lateen("check", "-o", "json");
		const { findings } = JSON.parse(out) as {
			readonly findings: readonly {
				readonly about: string;
				readonly verdict: string;
				readonly message: string;
			}[];
		};
		return findings
			.filter(({ verdict }) => verdict !== "ok")
			.map(({ about, message }) => `${about}: ${message}`);
	};
	/** Names of the control plane's pods, with those that end. */
	const replicas = async (): Promise<readonly string[]> => {
		const names = await world.inSystem(
			...["get", "pods", "-l", "app=lateen", "-o"],
			"jsonpath={.items[*].metadata.name}",
		);
		return names.split(" ");
	};
	/** What all replicas say of their proxies since they started, by metric and type of resource. */
	const figures = async (): Promise<ReadonlyMap<string, number>> => {
		const sums = new Map<string, number>();
		for (const pod of await replicas()) {
			const text = await kubectl(world.cluster, [
				...["get", "--raw"],
				`/api/v1/namespaces/${system}/pods/${pod}:15014/proxy/metrics`,
			]);
			for (const [, name = "", type = "", value] of text.matchAll(
				/^lateen_xds_(resources_total|rejected_total|streams)\{(?:type="([^"]*)")?[^}]*\} (\S+)$/gm,
			)) {
				const key = `${name} ${type}`.trim();
				sums.set(key, (sums.get(key) ?? 0) + Number(value));
			}
		}
		return sums;
	};
	/** Waits until all proxies are connected, and says what they were sent and refused. */
	const settled = async (): Promise<ReadonlyMap<string, number>> => {
		let now: ReadonlyMap<string, number> = new Map();
		await eventually(async () => {
			now = await figures();
			expect(now.get("streams")).to.equal(4);
		}, PATIENCE_MS);
		return now;
	};

	it("loses no request, and keeps rules in force with proxies of the release before", async () => {
		const uid = await ruleUid();
		const [load] = await losesNothing(async () => {
			await installLateen(world.cluster);
			await runsOnly(programVersion);
			await programmed();
		});
		// The rule held all the while: nobody else has answered.
		expect(Object.keys(load.pods).join()).to.match(/^web-v2-[^,]+$/);
		expect(await ruleUid()).to.equal(uid);
		expect(await proxyVersions()).to.deep.equal([PREVIOUS_VERSION]);
		const all = await settled();
		expect(
			[...all].filter(
				([name, count]) => name.startsWith("rejected") && count > 0,
			),
		).to.deep.equal([]);
	});

	it("leaves the Deployment and the CRDs current by the rules of kstatus", async () => {
		for (const what of ["deployment/lateen", "crd/routerules.lateen.dev"]) {
			const object = await world.inSystem("get", what, "-o", "json");
			expect(kstatusOf(JSON.parse(object))).to.equal("Current");
		}
	});

	it("leads proxies of the release before to what changes afterwards", async () => {
		for (const version of ["v1", "v2"]) {
			await meshed.apply(ruleObject("web", toVersion(version)));
			await programmed();
			const { version: seen } = await meshed.ask("client", "http://web/");
			expect(seen).to.equal(version);
		}
	});

	it("is followed by a check that lists the pods with older proxies", async () => {
		const found = (await check()).filter((one) => one.startsWith("pods: "));
		expect(found).to.have.lengthOf(1);
		expect(found[0]).to.match(
			/^pods: Pods with the proxy of version 0\.0\.9: (\S+, ){3}\S+\. .*rollout restart/,
		);
	});

	it("sends proxies nothing that they have already, when their replica is replaced", async () => {
		const before = await replicas();
		await losesNothing(async () => {
			await world.inSystem("rollout", "restart", "deployment/lateen");
			await rolledOut();
			// Those that end are still asked, and their streams count.
			await eventually(async () => {
				const now = await replicas();
				expect(now.filter((name) => before.includes(name))).to.deep.equal([]);
			}, PATIENCE_MS);
			await settled();
			await programmed();
		});
		// But for endpoints: those of the control plane's own Service have changed.
		const handed = [...(await settled())].filter(
			([name, count]) => !/^streams|endpoint$/.test(name) && count > 0,
		);
		expect(handed).to.deep.equal([]);
	});

	it("is taken back by kubectl rollout undo, and loses no request", async () => {
		await losesNothing(async () => {
			// Two back: the last was the restart above.
			await world.inSystem(
				...["rollout", "undo", "deployment/lateen"],
				`--to-revision=${await revisionOf(PREVIOUS_VERSION)}`,
			);
			await rolledOut();
			await runsOnly(PREVIOUS_VERSION);
			await programmed();
		});
		await meshed.apply(ruleObject("web", toVersion("v1")));
		await programmed();
		const { version } = await meshed.ask("client", "http://web/");
		expect(version).to.equal("v1");
	});

	it("by Helm, and its rollback, lose no request either, nor does the restart that gives pods the newer proxy", async () => {
		using folder = new TemporaryFolder();
		const helm = await ensureHelm();
		const runHelm = (...words: readonly string[]): Promise<unknown> =>
			run(helm, [...words, "--namespace", system, "--wait"], {
				env: {
					PATH: process.env["PATH"],
					HOME: folder.path,
					KUBECONFIG: world.cluster.kubeconfig,
				},
			});
		// The chart's objects with the image of the release before: it has no chart yet.
		await runHelm(
			...["install", "lateen", CHART, "--take-ownership", "--force-conflicts"],
			...["--set", `image.tag=${PREVIOUS_VERSION}`],
		);
		await losesNothing(async () => {
			// Without the first Helm keeps the values of before, and with them the image; kubectl has a say in that, too, as it said the same.
			await runHelm(
				...["upgrade", "lateen", CHART],
				...["--reset-values", "--force-conflicts"],
			);
			await runsOnly(programVersion);
		});
		await losesNothing(async () => {
			await runHelm("rollback", "lateen");
			await runsOnly(PREVIOUS_VERSION);
		});
		await runHelm("upgrade", "lateen", CHART, "--reset-values");
		await runsOnly(programVersion);
		await losesNothing(async () => {
			for (const name of ["web-v1", "web-v2"]) {
				await meshed.kubectl("rollout", "restart", `deployment/${name}`);
				await meshed.ready(`deployment/${name}`);
			}
		});
		expect([...(await proxyVersions())].sort()).to.deep.equal([
			...[PREVIOUS_VERSION, programVersion],
		]);
	}).timeout(600_000);

	/** The revision of the Deployment that ran this version. */
	async function revisionOf(version: string): Promise<string> {
		const text = await world.inSystem(
			...["get", "replicasets", "-l", "app=lateen", "-o", "json"],
		);
		const { items } = JSON.parse(text) as {
			readonly items: readonly {
				readonly metadata: {
					readonly annotations: Readonly<Record<string, string>>;
				};
				readonly spec: {
					readonly template: {
						readonly spec: {
							readonly containers: readonly [{ readonly image: string }];
						};
					};
				};
			}[];
		};
		const [found] = items
			.filter(({ spec }) =>
				spec.template.spec.containers[0].image.endsWith(`:${version}`),
			)
			.map(
				({ metadata }) =>
					metadata.annotations["deployment.kubernetes.io/revision"],
			);
		return found ?? "";
	}
});
