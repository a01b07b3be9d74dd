// What becomes of pods when something of Lateen is missing, killed, or late.

import { expect } from "chai";
import { recordIn, recordsIn, textIn } from "../../src/injector/json.ts";
import { eventually } from "../testkit/eventually.ts";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { listOf } from "../testkit/kind-objects.ts";
import { BY_PROXY } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import {
	checkInstallation,
	http,
	TrafficWorld,
	trafficPod,
	trafficPodSpec,
} from "../testkit/traffic-world.ts";

const PATIENCE_MS = 120_000;

/** Holds a connection, kills the proxy as the kernel does when memory is short, and prints what became of the connection. */
const KILL_PROXY = `
const { readdirSync, readFileSync } = require("node:fs");
const socket = require("node:net").connect(9001, "echoes");
socket.on("error", () => {});
socket.on("close", () => { console.log("closed"); process.exit(); });
socket.once("data", () => {
	const pid = readdirSync("/proc").find((name) => /^[0-9]+$/.test(name) && readFileSync("/proc/" + name + "/cmdline", "utf8").startsWith("envoy"));
	process.kill(Number(pid), "SIGKILL");
	setTimeout(() => socket.write("still there?"), 1000);
});
socket.write("hey");
`;

describe("pods of which something is missing", () => {
	let world: TrafficWorld;
	let meshed: KindNamespace;
	let plain: KindNamespace;

	before(async () => {
		world = await TrafficWorld.start();
		({ meshed, plain } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	const status = async (
		namespace: KindNamespace,
		pod: string,
	): Promise<unknown> =>
		recordIn(
			JSON.parse(await namespace.kubectl("get", "pod", pod, "-o", "json")),
			"status",
		);

	describe("while no replica of Lateen runs", () => {
		const scale = async (replicas: number): Promise<void> => {
			const inSystem = ["--namespace", "lateen-system"];
			await kubectl(world.cluster, [
				...["scale", "deployment/lateen", ...inSystem],
				`--replicas=${replicas}`,
			]);
			await kubectl(world.cluster, [
				...["rollout", "status", "deployment/lateen", ...inSystem],
				"--timeout=180s",
			]);
			if (replicas > 0) return;
			await kubectl(world.cluster, [
				...["wait", "pod", "-l", "app=lateen", ...inSystem],
				...["--for=delete", "--timeout=120s"],
			]);
		};
		before(async () => await scale(0));
		after(async () => {
			if (world !== undefined) await scale(2);
		});

		it("pods that ask for a proxy are refused, with the name of the webhook", async () => {
			const refusal = await eventually(async () => {
				const said = await meshed.refusalOf(trafficPod("refused"));
				expect(said).not.to.equal("It was taken.");
				return said;
			}, PATIENCE_MS);
			expect(refusal).to.contain("namespace.inject.lateen.dev");
			const asking = await plain.refusalOf(
				trafficPod("asking", { labels: { "lateen.dev/inject": "true" } }),
			);
			expect(asking).to.contain("pod.inject.lateen.dev");
		});

		it("pods that do not ask are made as ever", async () => {
			await plain.apply(trafficPod("unasked"));
			await plain.ready("pod/unasked");
		});

		it("pods that opt out are made, too", async () => {
			await meshed.apply(
				trafficPod("opted-out", { labels: { "lateen.dev/inject": "false" } }),
			);
			await meshed.ready("pod/opted-out");
		});

		it("traffic goes on", async () => {
			expect(
				await http(meshed, "client", "http://server/"),
			).to.have.nested.property("seen.from", BY_PROXY);
		});

		it("what makes pods says why there are none, and makes them when Lateen is back", async () => {
			await meshed.apply({
				apiVersion: "apps/v1",
				kind: "Deployment",
				metadata: { name: "patient" },
				spec: {
					selector: { matchLabels: { app: "patient" } },
					template: {
						metadata: { labels: { app: "patient" } },
						spec: trafficPodSpec(),
					},
				},
			});
			await eventually(async () => {
				const events = await meshed.kubectl(
					...["get", "events", "--field-selector=reason=FailedCreate", "-o"],
					"jsonpath={.items[*].message}",
				);
				expect(events).to.contain("namespace.inject.lateen.dev");
			}, PATIENCE_MS);
			await scale(2);
			await meshed.ready("deployment/patient");
			const [pod = ""] = await meshed.podsOf("app=patient");
			expect(await http(meshed, pod, "http://server/")).to.have.property(
				"status",
				200,
			);
		});
	});

	it("a proxy that is killed comes back by itself, with the rules of its pod", async () => {
		await meshed.apply(
			trafficPod("killed", {
				spec: { shareProcessNamespace: true },
				container: { securityContext: { runAsUser: 0 } },
			}),
		);
		await meshed.ready("pod/killed");
		// What the kernel remembers of the connection leads to a proxy that knows nothing of it.
		const connection = await meshed.kubectl(
			...["exec", "killed", "-c", "app", "--"],
			...["/usr/bin/node", "-e", KILL_PROXY],
		);
		expect(connection).to.equal("closed\n");
		await eventually(async () => {
			const answer = await http(meshed, "killed", "http://server/");
			expect(answer).to.have.property("status", 200);
		}, PATIENCE_MS);
		await meshed.ready("pod/killed");
		const after = await status(meshed, "killed");
		const restarts = Object.fromEntries(
			[
				...recordsIn(after, "initContainerStatuses"),
				...recordsIn(after, "containerStatuses"),
			].map((one) => [textIn(one, "name"), one["restartCount"]]),
		);
		expect(restarts).to.deep.equal({
			"lateen-capture": 0,
			"lateen-proxy": 1,
			app: 0,
		});
		const address = textIn(after, "podIP");
		expect(
			await http(plain, "client", `http://${address}:8080/`),
		).to.have.nested.property("seen.from", BY_PROXY);
	});

	it("pods that are deleted as soon as they are made leave nothing", async () => {
		const names = Array.from({ length: 5 }, (_, index) => `brief-${index}`);
		await meshed.apply(...names.map((name) => trafficPod(name)));
		await meshed.kubectl(
			...["delete", "pod", ...names, "--grace-period=0", "--force"],
			"--wait=false",
		);
		await meshed.kubectl(
			...["wait", ...names.map((name) => `pod/${name}`), "--for=delete"],
			"--timeout=120s",
		);
		await eventually(async () => {
			const left = (await checkInstallation(world.cluster)).filter(
				({ message }) => message.includes("brief-"),
			);
			expect(left).to.deep.equal([]);
		}, PATIENCE_MS);
		// The next one of the name is another pod.
		await meshed.apply(trafficPod("brief-0"));
		await meshed.ready("pod/brief-0");
		expect(await http(meshed, "brief-0", "http://server/")).to.have.property(
			"status",
			200,
		);
	});

	it("pods whose proxy has no image say so, as `lateen check` does, and nobody else is hurt", async () => {
		const mesh = {
			apiVersion: "lateen.dev/v1alpha1",
			kind: "Mesh",
			metadata: { name: "default" },
			spec: { injection: { proxyImage: "lateen-proxy:nowhere" } },
		};
		await kubectl(world.cluster, ["apply", "-f", "-"], listOf([mesh]));
		try {
			await eventually(async () => {
				await meshed.apply(trafficPod("without-image"));
				const image = await meshed.kubectl(
					...["get", "pod", "without-image", "-o"],
					"jsonpath={.spec.initContainers[0].image}",
				);
				if (image !== "lateen-proxy:nowhere")
					await meshed.kubectl("delete", "pod", "without-image");
				expect(image).to.equal("lateen-proxy:nowhere");
			}, PATIENCE_MS);
			await eventually(async () => {
				const [capture] = recordsIn(
					await status(meshed, "without-image"),
					"initContainerStatuses",
				);
				expect(
					textIn(recordIn(recordIn(capture, "state"), "waiting"), "reason"),
				).to.match(/Image|Pull/);
			}, PATIENCE_MS);
			const messages = (await checkInstallation(world.cluster)).map(
				({ message }) => message,
			);
			const said = messages.find((one) => one.includes("without-image"));
			expect(said, messages.join("\n"))
				.to.contain("lateen-proxy:nowhere")
				.and.contain("lateen-capture");
			expect(await http(meshed, "client", "http://server/")).to.have.property(
				"status",
				200,
			);
		} finally {
			await kubectl(world.cluster, ["delete", "mesh", "default"]);
		}
	});
});
