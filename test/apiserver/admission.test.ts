import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { connect } from "node:tls";
import { expect } from "chai";
import { parseObject } from "../../src/api/parse-object.ts";
import { splitPemBundle } from "../../src/pki/pem-bundle.ts";
import { testAuthority } from "../testkit/authority.ts";
import { eventually } from "../testkit/eventually.ts";
import { FastClock } from "../testkit/fast-clock.ts";
import {
	type ApiAnswer,
	ApiClient,
	kubectl,
	newNamespace,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";
import { externalService, routeRule, service } from "../testkit/objects.ts";
import {
	badByCel,
	badExternalServices,
	badMeanings,
} from "../validation/bad-objects.ts";
import { type ServingReplica, startReplica } from "./serving-replica.ts";

const system = "lateen-system";
const configuration =
	"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/lateen-url";

interface Status {
	readonly message: string;
	readonly reason?: string;
	readonly details?: {
		readonly causes?: readonly {
			readonly field: string;
			readonly message: string;
		}[];
	};
}

/** A rule that nothing but the webhook refuses: CEL cannot parse RE2. */
function bad(name: string): Record<string, unknown> {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name },
		spec: {
			destination: { name: "reviews" },
			match: [{ path: { regex: "(?=a)" } }],
		},
	};
}

function good(name: string): Record<string, unknown> {
	return { ...bad(name), spec: { destination: { name: "reviews" } } };
}

/** With the keys of maps in the order in which the API server writes them. */
function inOrder(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(inOrder);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, part]) => [key, inOrder(part)]),
	);
}

describe("admission on a real API server", function () {
	this.timeout(60_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	let namespace: string;
	let replica: ServingReplica;

	before(async () => {
		cluster = await ownCluster();
		api = await ApiClient.of(cluster);
		await kubectl(cluster, ["create", "namespace", system]);
		namespace = await newNamespace(cluster);
		replica = await startReplica(cluster, { namespace: system });
		know(replica);
		await eventually(() => refuses());
	});
	after(async () => {
		await replica?.[Symbol.asyncDispose]();
		api?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	function know(one: ServingReplica): void {
		one.know(
			service(`${namespace}/reviews`),
			routeRule(`${namespace}/first`, {
				destination: { name: "reviews" },
				precedence: 10,
			}),
			externalService(`${namespace}/api`, { hosts: ["api.example.com"] }),
		);
	}

	const rules = (): string =>
		`/apis/lateen.dev/v1alpha1/namespaces/${namespace}/routerules`;

	const tryOut = (object: unknown, path = rules()): Promise<ApiAnswer> =>
		api.ask("POST", `${path}?dryRun=All`, object);

	/** Fails unless the webhook is asked, and refuses. */
	async function refuses(): Promise<void> {
		const answer = await tryOut(bad("subject"));
		expect(answer.status, JSON.stringify(answer.body)).to.equal(422);
	}

	async function accepts(): Promise<void> {
		expect((await tryOut(bad("subject"))).status).to.equal(201);
	}

	const run = (args: readonly string[], object?: unknown): Promise<string> =>
		kubectl(
			cluster,
			["-n", namespace, ...args],
			object === undefined ? undefined : JSON.stringify(object),
		);

	async function complaint(
		args: readonly string[],
		object: unknown,
	): Promise<string> {
		try {
			await run(args, object);
		} catch (error) {
			return String(error);
		}
		throw new Error("kubectl had nothing to complain about");
	}

	describe("what it says", () => {
		it("is what `lateen validate` says, for everything that schema and CEL let through", async () => {
			let refused = 0;
			for (const { object } of [
				...badByCel,
				...badMeanings,
				...badExternalServices,
			]) {
				const typed = object as { kind: string; metadata: object };
				const path = {
					ExternalService: `namespaces/${namespace}/externalservices`,
					Mesh: "meshes",
					RouteRule: `namespaces/${namespace}/routerules`,
				}[typed.kind];
				const { status, body } = await tryOut(
					object,
					`/apis/lateen.dev/v1alpha1/${path}`,
				);
				const { message, details } = body as Status;
				expect(status, JSON.stringify(object)).to.equal(422);
				if (!message.includes("validate.lateen.dev")) continue;
				refused += 1;
				const parsed = parseObject(
					inOrder({ ...typed, metadata: { ...typed.metadata, namespace } }),
				);
				if (parsed.kind !== "invalid") throw new Error("it must be invalid");
				expect(
					details?.causes?.map(({ field, message: text }) => ({
						path: field,
						message: text,
					})),
				).to.deep.equal(parsed.invalid.violations);
			}
			expect(refused).to.be.above(40);
		});

		it("is shown by kubectl as a list of fields", async () => {
			const text = await complaint(["apply", "-f", "-"], bad("subject"));
			expect(text).to.include('The RouteRule "subject" is invalid');
			expect(text).to.include(
				"spec.match[0].path.regex: RE2 refuses the regex",
			);
		});

		it("is a warning when a rule names nothing, is shadowed, or shadows another", async () => {
			const missing = await tryOut({
				...good("a"),
				spec: { destination: { name: "nobody" } },
			});
			expect(missing.status).to.equal(201);
			expect(missing.warnings).to.deep.equal([
				`spec.destination.name: There is no Service ${namespace}/nobody. Create it, or correct name and namespace.`,
			]);
			const shadowed = await tryOut(good("b"));
			expect(shadowed.status).to.equal(201);
			expect(shadowed.warnings.join()).to.include(`${namespace}/first`);
			const shadowing = await tryOut({
				...good("c"),
				spec: { destination: { name: "reviews" }, precedence: 20 },
			});
			expect(shadowing.warnings.join()).to.match(
				new RegExp(`^RouteRule ${namespace}/first: `),
			);
		});

		it("is a refusal when an object claims the host of another", async () => {
			const { status, body } = await tryOut(
				{
					apiVersion: "lateen.dev/v1alpha1",
					kind: "ExternalService",
					metadata: { name: "late" },
					spec: {
						hosts: ["api.example.com"],
						ports: [{ number: 80, name: "http", protocol: "HTTP" }],
					},
				},
				`/apis/lateen.dev/v1alpha1/namespaces/${namespace}/externalservices`,
			);
			expect(status).to.equal(422);
			expect((body as Status).message).to.include(`${namespace}/api`);
		});
	});

	describe("whom it asks about", () => {
		it("asks about made-up names, server-side apply, updates and patches", async () => {
			const nameless = { ...bad(""), metadata: { generateName: "some-" } };
			expect((await tryOut(nameless)).status).to.equal(422);
			const fine = { ...good(""), metadata: { generateName: "some-" } };
			expect((await tryOut(fine)).status).to.equal(201);
			await complaint(["apply", "--server-side", "-f", "-"], bad("applied"));
			await run(["apply", "-f", "-"], good("updated"));
			await complaint(["replace", "-f", "-"], bad("updated"));
			await complaint(
				[
					"patch",
					"routerule",
					"updated",
					"--type=merge",
					"-p",
					JSON.stringify({ spec: bad("")["spec"] }),
				],
				undefined,
			);
			await run(["delete", "routerule", "updated"]);
		});

		it("lets go what is stored and bad: labels, status, finalizers, deletion", async () => {
			await replica[Symbol.asyncDispose]();
			const stored = { name: "stored", finalizers: ["example.com/hold"] };
			await run(["create", "-f", "-"], { ...bad("stored"), metadata: stored });
			replica = await startReplica(cluster, { namespace: system });
			know(replica);
			await eventually(() => refuses());
			await run(["label", "routerule", "stored", "a=b"]);
			await run([
				...["patch", "routerule", "stored", "--subresource=status"],
				...["--type=merge", "-p", '{"status":{"observedGeneration":1}}'],
			]);
			await complaint(
				[
					...["patch", "routerule", "stored", "--type=merge"],
					...["-p", '{"spec":{"precedence":3}}'],
				],
				undefined,
			);
			await run(["delete", "routerule", "stored", "--wait=false"]);
			await run([
				...["patch", "routerule", "stored", "--type=json"],
				...["-p", '[{"op":"remove","path":"/metadata/finalizers"}]'],
			]);
			expect(await run(["get", "routerules", "-o", "name"])).to.equal("");
		});
	});

	describe("when nobody answers", () => {
		it("lets everything through at once when the webhook is down", async () => {
			await replica[Symbol.asyncDispose]();
			// A webhook that is waited for would take its two seconds each time.
			await eventually(async () => {
				const startMs = performance.now();
				await accepts();
				expect(performance.now() - startMs).to.be.below(1500);
			}, 30_000);
			replica = await startReplica(cluster, {
				namespace: system,
				port: replica.port,
			});
			know(replica);
			await eventually(() => refuses());
		});

		it("lets everything through when its certificate has expired, and the leader mends that", async () => {
			replica.leads.set(false);
			const { ca, issue } = testAuthority();
			const expired = issue({ notAfterMs: Date.now() - 1000 });
			const url = `/api/v1/namespaces/${system}/secrets/lateen-serving`;
			const patched = await api.ask(
				"PATCH",
				url,
				{
					data: {
						"ca.crt": btoa(ca),
						"ca.key": "",
						"tls.crt": btoa(expired.cert),
						"tls.key": expired.key.reveal().toString("base64"),
					},
				},
				{ "content-type": "application/merge-patch+json" },
			);
			expect(patched.status).to.equal(200);
			await trust(ca);
			await eventually(() => accepts());
			replica.leads.set(true);
			await eventually(() => refuses());
			const leaf = new X509Certificate(replica.material.value?.cert ?? "");
			expect(leaf.validToDate.getTime()).to.be.above(Date.now());
		});

		it("has its authority put back when somebody takes it out of the webhook configuration", async () => {
			await trust(testAuthority().ca);
			await eventually(() => refuses());
		});
	});

	/** Makes the API server trust somebody else. */
	async function trust(ca: string): Promise<void> {
		const { status } = await api.ask(
			"PATCH",
			configuration,
			[
				{
					op: "replace",
					path: "/webhooks/0/clientConfig/caBundle",
					value: btoa(ca),
				},
			],
			{ "content-type": "application/json-patch+json" },
		);
		expect(status).to.equal(200);
	}

	describe("rotation", () => {
		const secret = `/api/v1/namespaces/${system}/secrets/lateen-serving`;

		/** Asks again and again while something happens; answers how often, and how often nobody was asked. */
		async function under(
			happens: () => Promise<void>,
		): Promise<{ asked: number; missed: number }> {
			let asked = 0;
			let missed = 0;
			let isOver = false;
			const asking = [
				...Array.from({ length: 4 }, async () => {
					while (!isOver) {
						const { status } = await tryOut(bad("subject"));
						asked += 1;
						if (status !== 422) missed += 1;
						await setTimeout(5);
					}
				}),
				// The API server keeps its connections; here every call begins with a handshake.
				(async () => {
					while (!isOver) {
						asked += 1;
						if (!(await greets((await bundle()).join("")))) missed += 1;
						await setTimeout(20);
					}
				})(),
			];
			try {
				await happens();
			} finally {
				isOver = true;
				await Promise.all(asking);
			}
			return { asked, missed };
		}

		/** Whether somebody who trusts these authorities can talk to the replica. */
		async function greets(ca: string): Promise<boolean> {
			const socket = connect({
				host: "127.0.0.1",
				port: replica.port,
				ca,
				servername: `lateen.${system}.svc`,
			});
			try {
				await once(socket, "secureConnect");
				return socket.authorized;
			} catch {
				return false;
			} finally {
				socket.destroy();
			}
		}

		async function restart(): Promise<void> {
			await replica[Symbol.asyncDispose]();
			// Ten minutes of settling are two seconds.
			replica = await startReplica(cluster, {
				namespace: system,
				clock: new FastClock(300),
				port: replica.port,
			});
			know(replica);
			await eventually(() => refuses());
		}

		before(() => restart());

		const leaf = (): string => replica.material.value?.cert ?? "";

		async function bundle(): Promise<readonly string[]> {
			const { body } = await api.ask(
				"GET",
				`/api/v1/namespaces/${system}/configmaps/lateen-ca`,
			);
			return splitPemBundle(
				(body as { data: Record<string, string> }).data["ca.crt"] ?? "",
			);
		}

		it("goes to a new authority and a new leaf without a call that is not answered", async () => {
			const before = leaf();
			const [old] = await bundle();
			const { asked, missed } = await under(async () => {
				await api.ask(
					"PATCH",
					secret,
					{ data: { "ca.key": "" } },
					{ "content-type": "application/merge-patch+json" },
				);
				await eventually(async () => {
					expect(await bundle()).to.include(old);
					expect((await bundle())[0]).to.not.equal(old);
				});
				expect(leaf()).to.equal(before);
				await eventually(() => expect(leaf()).to.not.equal(before), 20_000);
				await setTimeout(200);
			});
			expect(missed).to.equal(0);
			expect(asked).to.be.above(50);
			const [first] = await bundle();
			const shown = new X509Certificate(leaf());
			expect(shown.verify(new X509Certificate(first ?? "").publicKey)).to.equal(
				true,
			);
		});

		it("comes back from a Secret that was deleted, without one either", async () => {
			const before = leaf();
			const { missed } = await under(async () => {
				expect((await api.ask("DELETE", secret)).status).to.equal(200);
				await eventually(() => expect(leaf()).to.not.equal(before), 20_000);
				await setTimeout(200);
			});
			expect(missed).to.equal(0);
		});

		it("writes nothing when there is nothing to do", async () => {
			const versions = async (): Promise<readonly unknown[]> =>
				await Promise.all(
					[
						secret,
						`/api/v1/namespaces/${system}/configmaps/lateen-ca`,
						configuration,
					].map(async (path) => {
						const { body } = await api.ask("GET", path);
						return (body as { metadata: { resourceVersion: string } }).metadata
							.resourceVersion;
					}),
				);
			const before = await versions();
			await restart();
			// A quarter of an hour for the controllers.
			await setTimeout(3000);
			expect(await versions()).to.deep.equal(before);
		});
	});

	it("answers in time although it knows a thousand services and rules", async () => {
		const many = Array.from({ length: 1000 }, (_, index) => index);
		replica.know(
			...many.flatMap((index) => [
				service(`${namespace}/s${index}`),
				routeRule(`${namespace}/s${index}`, {
					match: [{ path: { prefix: "/a" } }],
				}),
			]),
		);
		const time = async (count: number, path: string): Promise<number[]> => {
			const timesMs: number[] = [];
			for (let index = 0; index < count; index += 1) {
				const object = {
					...good(`timed-${index}`),
					spec: { destination: { name: `s${index}` } },
				};
				const startMs = performance.now();
				const { status } = await tryOut(object, path);
				timesMs.push(performance.now() - startMs);
				expect(status).to.equal(201);
			}
			return timesMs.sort((a, b) => a - b);
		};
		await time(20, rules());
		const timesMs = await time(200, rules());
		if (process.env["LATEEN_FIGURES"] !== undefined)
			console.log(
				`      dry-run create with webhook: p50 ${timesMs[100]?.toFixed(1)} ms, p99 ${timesMs[198]?.toFixed(1)} ms; the webhook alone:\n${replica.metrics
					.print()
					.split("\n")
					.filter((line) => /^lateen_admission_seconds/.test(line))
					.join("\n")}`,
			);
		// What people wait for is mostly the API server; a busy machine must not fail this.
		expect(timesMs[100]).to.be.below(500);
		know(replica);
	});
});
