import { expect } from "chai";
import fc from "fast-check";
import { injectContext } from "../../test/testkit/inject-context.ts";
import type { InjectionContext } from "./context.ts";
import { inject } from "./inject.ts";
import { type Json, recordIn, recordsIn, textIn } from "./json.ts";
import { ports } from "./names.ts";
import type { SkipReason } from "./skip-reason.ts";

const app = { name: "app", image: "app" };

function pod(
	spec: Json = {},
	metadata: Json = {},
): Json & { readonly spec: Json } {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name: "web", ...metadata },
		spec: { containers: [app], ...spec },
	};
}

function annotated(name: string, value: string): Json {
	return pod({}, { annotations: { [`lateen.dev/${name}`]: value } });
}

const classic = injectContext(
	{},
	{ kubernetes: { nativeSidecars: false, sleepHooks: false } },
);

/** The pod with its proxy; throws when it has none. */
function injected(from: Json, context = injectContext()): Json {
	const result = inject(from, context);
	if (result.kind !== "injected") throw new Error(JSON.stringify(result));
	return result.pod;
}

function container(of: Json, name: string): Json {
	const spec = recordIn(of, "spec");
	const found = [
		...recordsIn(spec, "initContainers"),
		...recordsIn(spec, "containers"),
	].find((one) => one["name"] === name);
	if (found === undefined) throw new Error(`There is no ${name}.`);
	return found;
}

function namesIn(of: Json, field: string): readonly unknown[] {
	return recordsIn(recordIn(of, "spec"), field).map(({ name }) => name);
}

function rulesOf(of: Json): string {
	const [rules] = recordsIn(container(of, "lateen-capture"), "env");
	return textIn(rules, "value");
}

describe("inject", () => {
	describe("leaves a pod alone", () => {
		const table: readonly (readonly [
			reason: SkipReason,
			what: string,
			pod: Json,
			context?: InjectionContext,
		])[] = [
			[
				"OptedOut",
				"whose label says so",
				pod({}, { labels: { "lateen.dev/inject": "false" } }),
			],
			["OptedOut", "whose annotation says so", annotated("inject", "false")],
			[
				"ReservedNamespace",
				"of Kubernetes itself",
				pod(),
				injectContext({}, { namespace: "kube-system" }),
			],
			[
				"ReservedNamespace",
				"of the control plane",
				pod(),
				injectContext({}, { namespace: "lateen-system" }),
			],
			["HostNetwork", "in the network of its node", pod({ hostNetwork: true })],
			["NotLinux", "for Windows", pod({ os: { name: "windows" } })],
			[
				"StaticPod",
				"that a node runs from a file",
				pod({}, { annotations: { "kubernetes.io/config.mirror": "x" } }),
			],
			["NoContainers", "without containers", pod({ containers: [] })],
			[
				"OtherMesh",
				"that asks for another mesh, too",
				pod(
					{},
					{
						labels: {
							"lateen.dev/inject": "true",
							"sidecar.istio.io/inject": "true",
						},
					},
				),
			],
			[
				"OtherMesh",
				"with the proxy of another mesh",
				pod({ containers: [app, { name: "linkerd-proxy" }] }),
			],
			[
				"NameTaken",
				"with a container of our name",
				pod({ containers: [app, { name: "lateen-proxy" }] }),
			],
			[
				"NameTaken",
				"with an init container of our name",
				pod({ initContainers: [{ name: "lateen-capture" }] }),
			],
			[
				"NameTaken",
				"with a volume of our name",
				pod({ volumes: [{ name: "lateen" }] }),
			],
			[
				"PortTaken",
				"that listens where the proxy does",
				pod({ containers: [{ ...app, ports: [{ containerPort: 15006 }] }] }),
			],
			[
				"ProxyUser",
				"that runs as the proxy's user",
				pod({ securityContext: { runAsUser: 1337 } }),
			],
			[
				"ProxyUser",
				"with a container of the proxy's group",
				pod({
					containers: [{ ...app, securityContext: { runAsGroup: 1337 } }],
				}),
			],
			[
				"ProxyUser",
				"with an init container of a proxy's user that was chosen",
				pod({
					initContainers: [{ name: "a", securityContext: { runAsUser: 5 } }],
				}),
				injectContext({ proxyUser: 5 }),
			],
			[
				"NeverCompletes",
				"that is to end, where a proxy would not",
				pod({ restartPolicy: "OnFailure" }),
				classic,
			],
		];
		for (const [reason, what, from, context = injectContext()] of table)
			it(`${what} (${reason})`, () => {
				const result = inject(from, context);
				if (result.kind !== "skipped") throw new Error(result.kind);
				expect(result.skip.reason).to.equal(reason);
				expect(result.skip.message).to.match(/^[A-Z].*\.$/);
				expect(recordIn(result.pod, "spec")).to.deep.equal(
					recordIn(from, "spec"),
				);
				const said = recordIn(recordIn(result.pod, "metadata"), "annotations")[
					"lateen.dev/not-injected"
				];
				if (reason === "OptedOut") expect(result.pod).to.equal(from);
				else expect(said).to.match(new RegExp(`^${reason}: `));
				// Saying it again changes nothing.
				expect(inject(result.pod, context)).to.deep.equal(result);
			});
	});

	it("goes by the label of a pod before its annotation", () => {
		const both = pod(
			{},
			{
				labels: { "lateen.dev/inject": "true" },
				annotations: { "lateen.dev/inject": "false" },
			},
		);
		expect(inject(both, injectContext()).kind).to.equal("injected");
	});

	it("takes back what it said of a pod that could not be injected", () => {
		const skipped = inject(pod({ hostNetwork: true }), injectContext());
		if (skipped.kind !== "skipped") throw new Error(skipped.kind);
		const { hostNetwork: _, ...spec } = recordIn(skipped.pod, "spec");
		expect(
			recordIn(
				recordIn(injected({ ...skipped.pod, spec }), "metadata"),
				"annotations",
			),
		).to.not.have.property("lateen.dev/not-injected");
	});

	it("puts capture and proxy before all other init containers, however many", () => {
		const many = Array.from({ length: 50 }, (_, at) => ({
			name: `init-${at}`,
		}));
		const names = namesIn(
			injected(pod({ initContainers: many })),
			"initContainers",
		);
		expect(names.slice(0, 3)).to.deep.equal([
			"lateen-capture",
			"lateen-proxy",
			"init-0",
		]);
		expect(names).to.have.length(52);
	});

	it("has a native proxy send its callers elsewhere when the pod goes", () => {
		const hook = recordIn(
			recordIn(container(injected(pod()), "lateen-proxy"), "lifecycle"),
			"preStop",
		);
		// Exit code 0 is all that the kubelet looks at; what is asked is Envoy's own admin interface.
		const command = String(recordIn(hook, "exec")["command"]);
		expect(command).to.contain(`:${ports.admin}/healthcheck/fail`);
		// What its bootstrap looks for.
		const [file = ""] = /\/dev\/shm\/[a-z-]+(?=\n)/.exec(command) ?? [];
		const { args } = container(injected(pod()), "lateen-proxy");
		expect(String(args)).to.contain(`"filename":"${file}"`);
	});

	it("captures after all init containers for a classic proxy, which is the first of the containers and is waited for", () => {
		const result = injected(
			pod({ initContainers: [{ name: "migrate" }] }),
			classic,
		);
		expect(namesIn(result, "initContainers")).to.deep.equal([
			"migrate",
			"lateen-capture",
		]);
		expect(namesIn(result, "containers")).to.deep.equal([
			"lateen-proxy",
			"app",
		]);
		expect(container(result, "lateen-proxy")).to.have.nested.property(
			"lifecycle.postStart.exec",
		);
		expect(container(result, "lateen-proxy")).to.not.have.property(
			"restartPolicy",
		);
		expect(container(result, "app")).to.deep.equal(app);
	});

	it("has a classic proxy send its callers elsewhere and outlive the connections of its application", () => {
		const lifecycle = recordIn(
			container(
				injected(annotated("stop-delay", "7s"), classic),
				"lateen-proxy",
			),
			"lifecycle",
		);
		const exec = recordIn(recordIn(lifecycle, "preStop"), "exec");
		const script = String(exec["command"]);
		expect(script).to.include("/healthcheck/fail");
		expect(script).to.include("sleep 12\n");
		const hex = ports.outbound.toString(16).toUpperCase();
		expect(script).to.include(`*:${hex}' '01`);
	});

	it("gives capabilities to the capture of traffic alone, and root to nobody else", () => {
		const result = injected(pod());
		expect(
			container(result, "lateen-capture")["securityContext"],
		).to.deep.include({
			capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
			readOnlyRootFilesystem: true,
			allowPrivilegeEscalation: false,
			runAsUser: 0,
		});
		expect(
			container(result, "lateen-proxy")["securityContext"],
		).to.deep.include({
			capabilities: { drop: ["ALL"] },
			readOnlyRootFilesystem: true,
			allowPrivilegeEscalation: false,
			runAsNonRoot: true,
			runAsUser: 1337,
			runAsGroup: 1337,
		});
	});

	const bad: readonly (readonly [name: string, value: string])[] = [
		["include-inbound-ports", "http"],
		["exclude-inbound-ports", "0"],
		["include-outbound-ports", "80;443"],
		["exclude-outbound-ports", "65536"],
		["include-outbound-subnets", "10.0.0.0/33"],
		["exclude-outbound-subnets", "example.com"],
		["proxy-cpu", "much"],
		["proxy-memory-limit", "1 Gi"],
		["proxy-log-level", "loud"],
		["hold-application", "yes"],
		["rewrite-probes", ""],
		["sidecar", "none"],
		["stop-delay", "5"],
		["inject", "yes"],
		["proxy-memory", "-1"],
		["proxy-cpu-limit", "1 core"],
		// One that is not there.
		["exclude-inbound-port", "8080"],
	];
	for (const [name, value] of bad)
		it(`refuses lateen.dev/${name}: ${JSON.stringify(value)}, and says what it expects`, () => {
			const result = inject(annotated(name, value), injectContext());
			if (result.kind !== "refused") throw new Error(result.kind);
			expect(result.violations).to.have.length(1);
			expect(result.violations[0]?.path).to.include(`lateen.dev/${name}`);
			expect(result.violations[0]?.message).to.match(/expected is .+\.$/);
		});

	it("refuses a label lateen.dev/inject that is neither yes nor no", () => {
		const result = inject(
			pod({}, { labels: { "lateen.dev/inject": "enabled" } }),
			injectContext(),
		);
		if (result.kind !== "refused") throw new Error(result.kind);
		expect(result.violations).to.deep.equal([
			{
				path: 'metadata.labels["lateen.dev/inject"]',
				message: 'The value is "enabled"; expected is "true" or "false".',
			},
		]);
	});

	it("leaves annotations alone that are no wishes", () => {
		for (const name of ["somebody-elses", "injected", "not-injected"])
			expect(inject(annotated(name, "x"), injectContext()).kind).to.equal(
				"injected",
			);
	});

	it("reports everything that is wrong with annotations at once", () => {
		const result = inject(
			pod(
				{},
				{
					annotations: {
						"lateen.dev/sidecar": "x",
						"lateen.dev/stop-delay": "x",
					},
				},
			),
			injectContext(),
		);
		expect(result).to.have.property("violations").with.length(2);
	});

	it("captures what annotations say, in both families", () => {
		const result = injected(
			pod(
				{},
				{
					annotations: {
						"lateen.dev/include-inbound-ports": "8080, 9090",
						"lateen.dev/exclude-outbound-subnets": "10.0.0.1,fd00::/8",
						"lateen.dev/exclude-outbound-ports": "25",
					},
				},
			),
			injectContext({ excludeOutboundSubnets: ["192.0.2.0/24"] }),
		);
		expect(rulesOf(result)).to.include("--dport 9090 -j LATEEN_TO_INBOUND");
		expect(rulesOf(result)).to.include("-d 10.0.0.1 -j RETURN");
		expect(rulesOf(result)).to.include("-d 192.0.2.0/24 -j RETURN");
		expect(rulesOf(result)).to.include("--dport 25 -j RETURN");
		expect(rulesOf(result)).to.not.include("fd00");
	});

	it("gives the proxy the resources of its annotations, and Envoy its part of the memory", () => {
		const proxy = container(
			injected(
				pod(
					{},
					{
						annotations: {
							"lateen.dev/proxy-cpu": "250m",
							"lateen.dev/proxy-memory-limit": "1000Ki",
							"lateen.dev/proxy-log-level": "debug",
						},
					},
				),
			),
			"lateen-proxy",
		);
		expect(proxy["resources"]).to.deep.equal({
			requests: { cpu: "250m", memory: "64Mi" },
			limits: { memory: "1000Ki" },
		});
		expect(String(proxy["args"]))
			.to.include('"max_heap_size_bytes":921600')
			.and.include("debug");
	});

	describe("probes", () => {
		const http = { path: "/ready", port: "web" };
		const probed = (probes: Json): Json =>
			pod({
				containers: [
					{ ...app, ports: [{ name: "web", containerPort: 8080 }], ...probes },
				],
			});

		it("go through the proxy, to the port that a name means, with their headers and times", () => {
			const httpHeaders = [{ name: "Host", value: "web" }];
			const result = injected(
				probed({
					readinessProbe: {
						httpGet: { ...http, httpHeaders },
						periodSeconds: 7,
					},
				}),
			);
			expect(container(result, "app")["readinessProbe"]).to.deep.equal({
				httpGet: {
					path: "/probes/app/readinessProbe",
					port: 15020,
					scheme: "HTTP",
					httpHeaders,
				},
				periodSeconds: 7,
			});
			expect(String(container(result, "lateen-proxy")["args"])).to.include(
				'"port_value":8080',
			);
		});

		const untouched: readonly (readonly [what: string, probe: Json])[] = [
			["by a program", { exec: { command: ["true"] } }],
			["of another host", { httpGet: { ...http, host: "example.com" } }],
			["of a port that nobody has", { tcpSocket: { port: "nothing" } }],
		];
		for (const [what, probe] of untouched)
			it(`${what} stay as they are`, () => {
				expect(
					container(injected(probed({ livenessProbe: probe })), "app")[
						"livenessProbe"
					],
				).to.deep.equal(probe);
			});

		it("stay as they are where the pod says so", () => {
			const from = probed({ livenessProbe: { httpGet: http } });
			const result = injected({
				...from,
				metadata: { annotations: { "lateen.dev/rewrite-probes": "false" } },
			});
			expect(container(result, "app")["livenessProbe"]).to.deep.equal({
				httpGet: http,
			});
		});

		it("of a container that came after the first injection go through the proxy as well", () => {
			const first = injected(probed({ livenessProbe: { httpGet: http } }));
			const spec = recordIn(first, "spec");
			const late = {
				name: "late",
				readinessProbe: { httpGet: { path: "/late", port: 9090 } },
			};
			const second = injected({
				...first,
				spec: { ...spec, containers: [...recordsIn(spec, "containers"), late] },
			});
			const args = String(container(second, "lateen-proxy")["args"]);
			expect(args)
				.to.include("/probes/late/readinessProbe")
				.and.include('"port_value":9090');
			expect(args)
				.to.include("/probes/app/livenessProbe")
				.and.include('"port_value":8080');
		});
	});

	it("refuses a pod that got the proxy of another mesh after its own", () => {
		const first = injected(pod());
		const spec = recordIn(first, "spec");
		const both = [...recordsIn(spec, "containers"), { name: "linkerd-proxy" }];
		const result = inject(
			{ ...first, spec: { ...spec, containers: both } },
			injectContext(),
		);
		if (result.kind !== "refused") throw new Error(JSON.stringify(result));
		expect(result.violations.map(({ message }) => message).join())
			.to.contain("was given a proxy")
			.and.contain("another mesh");
	});

	it("leaves containers without names to the API server, which refuses them", () => {
		const nameless = { image: "app", ports: [{ containerPort: 8080 }] };
		const result = injected(pod({ containers: [nameless, nameless] }));
		expect(recordsIn(recordIn(result, "spec"), "containers")).to.deep.include({
			...nameless,
			lifecycle: { preStop: { sleep: { seconds: 5 } } },
		});
	});

	it("keeps what somebody has changed in what was injected", () => {
		const first = injected(pod());
		const spec = recordIn(first, "spec");
		const moved = recordsIn(spec, "initContainers").map((one) => ({
			...one,
			image: `mirror.example.com/${textIn(one, "image")}`,
		}));
		const second = injected({
			...first,
			spec: { ...spec, initContainers: moved },
		});
		expect(container(second, "lateen-proxy")["image"]).to.equal(
			"mirror.example.com/lateen-proxy:0.1.0",
		);
		expect(namesIn(second, "initContainers")).to.have.length(2);
	});

	it("lets the application go on for a moment when its pod is deleted, unless it has a way of its own", () => {
		const delay = (of: Json): unknown =>
			container(injected(of), "app")["lifecycle"];
		expect(delay(pod())).to.deep.equal({ preStop: { sleep: { seconds: 5 } } });
		expect(delay(pod({ terminationGracePeriodSeconds: 4 }))).to.deep.equal({
			preStop: { sleep: { seconds: 2 } },
		});
		expect(delay(annotated("stop-delay", "0s"))).to.equal(undefined);
		expect(delay(pod({ restartPolicy: "Never" }))).to.equal(undefined);
		const own = { preStop: { exec: { command: ["stop"] } } };
		expect(
			delay(pod({ containers: [{ ...app, lifecycle: own }] })),
		).to.deep.equal(own);
	});

	it("lays the template of the Mesh over what it makes", () => {
		const context = injectContext({
			template: {
				proxy: { resources: { limits: { cpu: "1" } }, args: ["--extra"] },
				capture: { image: "capture" },
				pod: {
					metadata: { labels: { a: "b" } },
					spec: { enableServiceLinks: false },
				},
			},
		});
		const result = injected(pod(), context);
		expect(
			container(result, "lateen-proxy")["resources"],
		).to.have.nested.property("limits.cpu", "1");
		expect(
			(container(result, "lateen-proxy")["args"] as readonly string[]).at(-1),
		).to.equal("--extra");
		expect(container(result, "lateen-capture")["image"]).to.equal("capture");
		expect(recordIn(result, "metadata")).to.have.nested.property(
			"labels.a",
			"b",
		);
		expect(recordIn(result, "spec")).to.include({ enableServiceLinks: false });
		expect(injected(result, context)).to.deep.equal(result);
	});

	it("treats what the template adds as the pod's own", () => {
		const context = injectContext({
			template: {
				pod: {
					metadata: { annotations: { "lateen.dev/proxy-log-level": "debug" } },
					spec: {
						terminationGracePeriodSeconds: 4,
						containers: [
							{ name: "agent", livenessProbe: { tcpSocket: { port: 1 } } },
						],
					},
				},
			},
		});
		const result = injected(pod(), context);
		const agent = container(result, "agent");
		expect(agent).to.have.nested.property("livenessProbe.httpGet.port", 15020);
		expect(agent).to.have.nested.property("lifecycle.preStop.sleep.seconds", 2);
		expect(String(container(result, "lateen-proxy")["args"])).to.include(
			"--log-level,debug",
		);
		expect(injected(result, context)).to.deep.equal(result);
	});

	it("is kept by what the template makes of a pod from being injected, too", () => {
		const context = injectContext({
			template: { pod: { spec: { securityContext: { runAsUser: 1337 } } } },
		});
		const result = inject(pod(), context);
		if (result.kind !== "skipped") throw new Error(result.kind);
		expect(result.skip.reason).to.equal("ProxyUser");
		expect(result.pod["spec"]).to.deep.equal(pod().spec);
	});

	it("gives an application its own probes back when its pod does not want them led through the proxy any more", () => {
		const probe = { httpGet: { path: "/live", port: 8080, scheme: "HTTP" } };
		const first = injected(
			pod({ containers: [{ ...app, livenessProbe: probe }] }),
		);
		const metadata = recordIn(first, "metadata");
		const second = injected({
			...first,
			metadata: {
				...metadata,
				annotations: {
					...recordIn(metadata, "annotations"),
					"lateen.dev/rewrite-probes": "false",
				},
			},
		});
		expect(container(second, "app")["livenessProbe"]).to.deep.equal(probe);
	});

	it("never throws and never injects twice, whatever a pod and a template hold", () => {
		const port = fc.oneof(
			fc.nat(70_000),
			fc.constantFrom("http", "x", "15020", ""),
		);
		const handler = fc.oneof(
			fc.record({
				httpGet: fc.record({
					path: fc.string(),
					port,
					scheme: fc.constantFrom("HTTP", "HTTPS", ""),
				}),
			}),
			fc.record({ tcpSocket: fc.record({ port }) }),
			fc.record({ grpc: fc.record({ port, service: fc.string() }) }),
			fc.jsonValue(),
		);
		const containers = fc.array(
			fc.oneof(
				fc.record(
					{
						name: fc.constantFrom(
							...["a", "b", "c", "d", "e", "f", "g"],
							"__proto__",
							"lateen-proxy",
							"lateen-capture",
						),
						ports: fc.array(
							fc.record({
								name: fc.constantFrom("http", "x"),
								containerPort: fc.nat(70_000),
							}),
						),
						livenessProbe: handler,
						startupProbe: handler,
						lifecycle: fc.oneof(
							fc.record({ preStop: handler, postStart: handler }),
							fc.jsonValue(),
						),
						securityContext: fc.jsonValue(),
					},
					{ requiredKeys: [] },
				),
				fc.jsonValue(),
			),
			{ maxLength: 4 },
		);
		const anyPod = fc.record(
			{
				metadata: fc.oneof(
					fc.record({
						labels: fc.jsonValue(),
						annotations: fc.dictionary(
							fc.constantFrom(
								"lateen.dev/injection",
								"lateen.dev/stop-delay",
								"lateen.dev/sidecar",
								"__proto__",
							),
							fc.oneof(fc.json(), fc.constantFrom("native", "classic", "1s")),
						),
					}),
					fc.jsonValue(),
				),
				spec: fc.oneof(
					fc.record(
						{
							containers,
							initContainers: containers,
							volumes: fc.jsonValue(),
							restartPolicy: fc.constantFrom("Always", "Never"),
							terminationGracePeriodSeconds: fc.jsonValue(),
						},
						{ requiredKeys: ["containers"] },
					),
					fc.jsonValue(),
				),
			},
			{ requiredKeys: [] },
		);
		const template = fc.record(
			{
				proxy: fc.record({ env: fc.constant([{ name: "A", value: "1" }]) }),
				pod: fc.record(
					{
						metadata: fc.record({
							annotations: fc.dictionary(
								fc.constantFrom("lateen.dev/stop-delay", "other"),
								fc.constantFrom("1s", "7s"),
							),
						}),
						spec: fc.record(
							{
								containers: fc.oneof(containers, fc.constant(null)),
								initContainers: fc.oneof(containers, fc.constant(null)),
								terminationGracePeriodSeconds: fc.nat(60),
							},
							{ requiredKeys: [] },
						),
					},
					{ requiredKeys: [] },
				),
			},
			{ requiredKeys: [] },
		);
		let times = 0;
		fc.assert(
			fc.property(anyPod, template, fc.boolean(), (from, laid, isNative) => {
				const base = isNative ? injectContext() : classic;
				const settings = { ...base.settings, template: laid as object };
				const context = { ...base, settings };
				const before = JSON.stringify(from);
				const once = inject(from as Json, context);
				expect(JSON.stringify(from)).to.equal(before);
				if (once.kind === "refused") return;
				if (once.kind === "injected") times += 1;
				expect(inject(once.pod, context)).to.deep.equal(once);
			}),
			{ numRuns: 1000 },
		);
		expect(times).to.be.above(50);
	});
});
