/*
 * Prometheus' own checker on alerts, and on what a replica says of itself; and what
 * its figures say about a change.
 */
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { ensurePromtool } from "../../hack/ensure-kubernetes.ts";
import { MissingPrerequisite } from "../../hack/programs/missing-prerequisite.ts";
import { request } from "../../src/net/http-client.ts";
import type { ClusterReplica } from "../testkit/cluster-replica.ts";
import { ClusterWorld } from "../testkit/cluster-world.ts";
import { eventually } from "../testkit/eventually.ts";
import { kubectl, sharedCluster } from "../testkit/kube-cluster.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

/** What the checker says to a text on its standard input; rejects when it does not like it. */
async function promtoolOn(
	promtool: string,
	words: readonly string[],
	text: string,
): Promise<string> {
	const child = spawn(promtool, words, { stdio: ["pipe", "pipe", "pipe"] });
	let said = "";
	for (const stream of [child.stdout, child.stderr])
		stream.on("data", (chunk: Buffer) => {
			said += chunk.toString();
		});
	child.stdin.end(text);
	const code = await new Promise((resolve) => child.once("close", resolve));
	if (code !== 0) throw new Error(`promtool ended with ${code}: ${said}`);
	return said;
}

async function metricsOf(replica: ClusterReplica): Promise<string> {
	const answer = await request({
		server: { path: join(replica.stateDir, "admin.sock") },
		method: "GET",
		path: "/metrics",
	});
	return answer.text();
}

describe("monitoring", () => {
	let promtool: string;
	before(async function () {
		// It is built at its first use, which takes minutes.
		this.timeout(900_000);
		try {
			promtool = await ensurePromtool();
		} catch (error) {
			if (!(error instanceof MissingPrerequisite)) throw error;
			console.error(`Alerts are not tried: ${error.message}`);
			this.skip();
		}
	});

	it("has alerts that Prometheus understands", async () => {
		const { stdout } = await run(promtool, [
			...["check", "rules", "--lint=all", "--lint-fatal"],
			join(ROOT, "manifests/monitoring/lateen.rules.yaml"),
		]);
		expect(stdout).to.match(/SUCCESS: \d\d rules found/);
	});

	it("raises them when something is wrong, and none when all is well", async () => {
		const { stdout } = await run(promtool, [
			...["test", "rules", join(ROOT, "test/monitoring/alerts.yaml")],
		]);
		expect(stdout).to.include("SUCCESS");
	});

	it("is a component of the manifests, and can be applied by itself", async () => {
		const cluster = await sharedCluster();
		using folder = new TemporaryFolder();
		folder.write(
			"kustomization.yaml",
			"resources: [manifests/base]\ncomponents: [manifests/monitoring]\n",
		);
		await run("cp", ["-r", join(ROOT, "manifests"), folder.path]);
		await run("cp", ["-r", join(ROOT, "crds"), folder.path]);
		for (const [path, kinds] of [
			[folder.path, ["ConfigMap", "Deployment", "PodMonitor"]],
			[join(ROOT, "manifests/monitoring"), ["ConfigMap", "PrometheusRule"]],
		] as const) {
			const text = await kubectl(cluster, ["kustomize", path]);
			const objects = parseAllDocuments(text).map(
				(one) =>
					one.toJS() as {
						readonly kind: string;
						readonly metadata: { readonly namespace?: string };
					},
			);
			expect(objects.map(({ kind }) => kind)).to.include.members([...kinds]);
			const dashboard = objects.find(({ kind }) => kind === "ConfigMap");
			expect(dashboard?.metadata.namespace).to.equal("lateen-system");
		}
	});

	it("gets figures that Prometheus understands, and that tell of a change and its proxies", async () => {
		await using world = await ClusterWorld.create(await sharedCluster());
		const replica = await world.replica("lateen-0");
		await world.proxy(replica, "web-1");
		await world.proxy(replica, "web-2");
		await world.answer("first");
		await world.wait("web", "Programmed");
		await world.answer("second");
		await world.wait("web", "Programmed");
		const text = await eventually(async () => {
			const now = await metricsOf(replica);
			expect(now).to.match(
				/^lateen_change_seconds_count\{stage="written"\} [1-9]/m,
			);
			return now;
		});
		expect(await promtoolOn(promtool, ["check", "metrics"], text)).to.equal("");
		for (const line of [
			'lateen_xds_streams{kind="sidecar",variant="delta"} 2',
			"lateen_leader 1",
			'lateen_leader_transitions_total{to="leader"} 1',
			"lateen_mesh_build_failing 0",
			'lateen_controller_queue_depth{controller="mesh"} 0',
			'lateen_kube_watch_current{resource="routerules"} 1',
		])
			expect(text.split("\n")).to.include(line);
		for (const pattern of [
			/^lateen_changes_total\{result="acknowledged"\} [1-9]/m,
			/^lateen_kube_requests_total\{verb="patch",code="200"\} [1-9]/m,
			/^lateen_kube_request_seconds_count\{verb="watch"\} [1-9]/m,
			/^lateen_controller_work_seconds_count\{controller="serving-certificate"\} [1-9]/m,
			/^lateen_serving_authority_expires_timestamp_seconds 1\d{9}$/m,
			/^lateen_build_info\{version="[^"]+",node="24\./m,
		])
			expect(text).to.match(pattern);
	});
});
