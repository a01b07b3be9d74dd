// Classic sidecars, as older API servers need them, in pods that could have native ones.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import { podObject, podSpec, serviceObject } from "../testkit/kind-objects.ts";
import { BY_PROXY, KindWorld } from "../testkit/kind-world.ts";

const PATIENCE_MS = 120_000;
const classic = { "lateen.dev/sidecar": "classic" };

/**
 * Calls as soon as it runs; keeps a connection; and calls once more long after it was told to end, when a proxy that only waited for
 * a fixed time would be gone.
 */
const PROGRAM = `
const call = async (when) => {
  try { console.log(when, (await fetch("http://web/")).status); }
  catch (error) { console.log(when, String(error.cause ?? error)); }
};
call("first");
require("node:net").connect(80, "web");
process.on("SIGTERM", () => setTimeout(async () => { await call("last"); process.exit(); }, 14_000));
setInterval(() => {}, 1_000);
`;

describe("classic sidecars", () => {
	let world: KindWorld;

	before(async () => {
		world = await KindWorld.start();
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	it("carry what comes in and what goes out, and answer probes", async () => {
		const { meshed } = world;
		await meshed.apply(serviceObject("older"), podObject("older", classic));
		await meshed.ready("pod/older");
		const containers = await meshed.kubectl(
			...["get", "pod", "older", "-o"],
			"jsonpath={.spec.initContainers[*].name} {.spec.containers[*].name}",
		);
		expect(containers).to.equal("lateen-capture lateen-proxy app");
		const { pod, from } = await meshed.ask("client", "http://older/");
		expect([pod, from]).to.deep.equal(["older", BY_PROXY]);
		expect((await meshed.ask("older", "http://web/")).from).to.equal(BY_PROXY);
	});

	it("are there before the application calls, and until it has called for the last time", async () => {
		const { meshed } = world;
		const spec = podSpec([]) as {
			readonly containers: readonly [object];
		};
		await meshed.apply({
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name: "late", labels: { app: "late" }, annotations: classic },
			spec: {
				...spec,
				terminationGracePeriodSeconds: 60,
				containers: [
					{ ...spec.containers[0], command: ["/usr/bin/node", "-e", PROGRAM] },
				],
			},
		});
		await meshed.ready("pod/late");
		const { cluster, name } = meshed;
		const logs = spawn(
			cluster.kubectl,
			[
				...["--kubeconfig", cluster.kubeconfig, "--namespace", name],
				...["logs", "--follow", "late", "-c", "app"],
			],
			{ stdio: ["ignore", "pipe", "inherit"] },
		);
		let said = "";
		logs.stdout.on("data", (chunk) => {
			said += String(chunk);
		});
		const end = once(logs, "close");
		await eventually(() => expect(said).to.contain("first 200"), PATIENCE_MS);
		await meshed.kubectl("delete", "pod", "late");
		await end;
		expect(said).to.equal("first 200\nlast 200\n");
	});
});
