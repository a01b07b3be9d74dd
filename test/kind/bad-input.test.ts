// Pods that are not as pods usually are: which of them get a proxy that works, and what is said of the others.

import { expect } from "chai";
import { recordIn, recordsIn, textIn } from "../../src/injector/json.ts";
import { eventually } from "../testkit/eventually.ts";
import { KindNamespace } from "../testkit/kind-namespace.ts";
import { BY_PROXY } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import {
	checkInstallation,
	http,
	type PodFields,
	TrafficWorld,
	trafficContainer,
	trafficPod,
} from "../testkit/traffic-world.ts";

const PATIENCE_MS = 120_000;

/** Pods that stay without a proxy, each with the reason that is given; no node runs them, since nobody asks them. */
const skipped: readonly (readonly [
	reason: string,
	name: string,
	fields: PodFields,
])[] = [
	[
		"NameTaken",
		"own-volume",
		{ spec: { volumes: [{ name: "lateen", emptyDir: {} }] } },
	],
	[
		"NameTaken",
		"own-container",
		{ spec: { initContainers: [idle("lateen-proxy")] } },
	],
	[
		"PortTaken",
		"own-port",
		{ container: { ports: [{ containerPort: 15001 }] } },
	],
	[
		"ProxyUser",
		"proxy-user",
		{ container: { securityContext: { runAsUser: 1337 } } },
	],
	["HostNetwork", "host-network", { spec: { hostNetwork: true } }],
	[
		"OtherMesh",
		"labels-of-two",
		{ labels: { "sidecar.istio.io/inject": "true" } },
	],
	[
		"OtherMesh",
		"proxy-of-another",
		{ spec: { initContainers: [idle("istio-proxy")] } },
	],
];

/** Pods that look odd, and get a proxy that works. */
const odd: readonly (readonly [
	what: string,
	name: string,
	fields: PodFields,
])[] = [
	[
		"with many init containers, which use it",
		"many-inits",
		{
			spec: {
				initContainers: Array.from({ length: 8 }, (_, index) =>
					trafficContainer(`init-${index}`, "http", "http://server/"),
				),
			},
		},
	],
	[
		"with a port of its node",
		"host-port",
		{ container: { ports: [{ containerPort: 8080, hostPort: 18_080 }] } },
	],
	[
		"that is privileged and root, and sees the processes of its node",
		"privileged",
		{
			spec: { hostPID: true },
			container: { securityContext: { privileged: true, runAsUser: 0 } },
		},
	],
	[
		"whose containers see each other's processes",
		"shared-processes",
		{ spec: { shareProcessNamespace: true } },
	],
];

describe("pods that are not as pods usually are", () => {
	let world: TrafficWorld;
	let meshed: KindNamespace;
	let plain: KindNamespace;

	before(async () => {
		world = await TrafficWorld.start();
		({ meshed, plain } = world);
		await meshed.apply(
			...skipped.map(([, name, { spec, ...fields }]) =>
				trafficPod(name, {
					...fields,
					spec: { ...spec, schedulingGates: [{ name: "lateen.dev/test" }] },
				}),
			),
			trafficPod("little-memory", {
				annotations: {
					"lateen.dev/proxy-memory": "16Mi",
					"lateen.dev/proxy-memory-limit": "16Mi",
				},
			}),
		);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	const podOf = async (name: string): Promise<unknown> =>
		JSON.parse(await meshed.kubectl("get", "pod", name, "-o", "json"));
	const proxiesOf = (pod: unknown): readonly unknown[] =>
		recordsIn(recordIn(pod, "spec"), "initContainers").filter(
			(one) => textIn(one, "name") === "lateen-capture",
		);

	for (const [reason, name] of skipped) {
		it(`stay without a proxy and say ${reason}: ${name}`, async () => {
			const pod = await podOf(name);
			expect(proxiesOf(pod)).to.deep.equal([]);
			const { annotations } = recordIn(pod, "metadata");
			expect(
				textIn(annotations, "lateen.dev/not-injected").split(": ")[0],
			).to.equal(reason);
			await eventually(async () => {
				const events = await meshed.kubectl(
					...["get", "events", "-o", "jsonpath={.items[*].message}"],
					`--field-selector=reason=NotInjected,involvedObject.name=${name}`,
				);
				expect(events).to.contain(reason);
			}, PATIENCE_MS);
		});
	}

	it("are told of at once to whoever makes them", async () => {
		const warned = await kubectl(world.cluster, [
			...["--namespace", meshed.name, "run", "told", "--dry-run=server"],
			...["--image=none", "--overrides"],
			JSON.stringify({ spec: { hostNetwork: true } }),
			...["-o", "jsonpath={.metadata.annotations}"],
		]);
		expect(warned).to.contain("HostNetwork");
	});

	for (const [what, name, fields] of odd) {
		it(`get one that works: ${what}`, async () => {
			await meshed.apply(trafficPod(name, fields));
			await meshed.ready(`pod/${name}`);
			const pod = await podOf(name);
			expect(proxiesOf(pod)).to.have.lengthOf(1);
			expect(await http(meshed, name, "http://server/")).to.have.property(
				"status",
				200,
			);
			const address = textIn(recordIn(pod, "status"), "podIP");
			expect(
				await http(plain, "client", `http://${address}:8080/`),
			).to.have.nested.property("seen.from", BY_PROXY);
		});
	}

	it("is reached by the port of its node through its proxy, too", async () => {
		await meshed.ready("pod/host-port");
		const host = textIn(recordIn(await podOf("host-port"), "status"), "hostIP");
		expect(
			await http(plain, "client", `http://${host}:18080/`),
		).to.deep.nested.include({
			"seen.pod": "host-port",
			"seen.from": BY_PROXY,
		});
	});

	it("do not start where the proxy has too little memory, and `lateen check` says so", async () => {
		await eventually(async () => {
			const messages = (await checkInstallation(world.cluster)).map(
				({ message }) => message,
			);
			const ours = messages.find((one) =>
				one.includes(`${meshed.name}/little-memory`),
			);
			expect(ours, messages.join("\n")).to.contain("memory");
		}, PATIENCE_MS);
		const [state] = recordsIn(
			recordIn(await podOf("little-memory"), "status"),
			"containerStatuses",
		);
		expect(state).to.have.property("started", false);
	});

	for (const level of ["baseline", "restricted"]) {
		it(`are refused where Pod Security enforces ${level}, with its reason, and \`lateen check\` says what to do`, async () => {
			await using strict = await KindNamespace.make(world.cluster, "meshed");
			await kubectl(world.cluster, [
				...["label", "namespace", strict.name],
				`pod-security.kubernetes.io/enforce=${level}`,
			]);
			// Without a proxy it would be taken.
			const good = {
				runAsNonRoot: true,
				runAsUser: 1000,
				seccompProfile: { type: "RuntimeDefault" },
				allowPrivilegeEscalation: false,
				capabilities: { drop: ["ALL"] },
			};
			const refusal = await strict.refusalOf(
				trafficPod("strict", { container: { securityContext: good } }),
			);
			expect(refusal)
				.to.contain(`violates PodSecurity "${level}`)
				.and.contain("lateen-capture")
				.and.contain("NET_ADMIN");
			await strict.apply(
				trafficPod("strict", {
					labels: { "lateen.dev/inject": "false" },
					container: { securityContext: good },
				}),
			);
			const said = (await checkInstallation(world.cluster)).find(
				({ about, message }) =>
					about === "Pod Security" && message.includes(strict.name),
			);
			expect(said?.message).to.contain("enforce=privileged");
		});
	}
});

/** A container of this name that does nothing, beside the application. */
function idle(name: string): object {
	return {
		...trafficContainer(name),
		command: ["/usr/bin/node", "-e", "setInterval(() => {}, 1e6)"],
		restartPolicy: "Always",
	};
}
