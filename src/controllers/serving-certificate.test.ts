import { X509Certificate } from "node:crypto";
import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { recordingLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { PrivateBytes } from "../lib/private-bytes.ts";
import { WritableSignal } from "../lib/signal.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { splitPemBundle } from "../pki/pem-bundle.ts";
import {
	registration,
	type SeenRegistration,
	validation,
} from "../reconcilers/webhook-registration.ts";
import { controllerFigures } from "./controller.ts";
import { ServingCertificateController } from "./serving-certificate.ts";
import { followServingSecret } from "./serving-material.ts";
import { servingNames } from "./serving-names.ts";
import {
	parseServingSecret,
	printServingSecret,
	type ServingSecret,
} from "./serving-secret.ts";
import type { Watched } from "./watched.ts";
import { keepWebhookRegistered } from "./webhook-registration.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** An API server's part in it: three objects, changed only over the version that was seen. */
class Cluster {
	readonly clock = new TestClock();
	readonly secret = new WritableSignal<Watched<ServingSecret>>({
		state: "absent",
	});
	readonly bundle = new WritableSignal<Watched<string>>({ state: "absent" });
	readonly webhook = new WritableSignal<Watched<SeenRegistration>>(
		present(registered(""), "1"),
	);
	readonly logged: unknown[] = [];
	readonly leads = new WritableSignal(true);
	/** How far the API server's clock is ahead of ours. */
	aheadMs = 0;
	secretWrites = 0;
	/** The next write fails. */
	fails = false;
	#version = 1;
	#stops: AsyncDisposable[] = [];

	start(): void {
		const logger = recordingLogger(this.logged);
		const shared = {
			leader: { isLeader: () => this.leads.value, state: this.leads },
			clock: this.clock,
			logger,
			figures: controllerFigures(new MetricsRegistry()),
		};
		const { secret, bundle, webhook } = this;
		this.#stops = [
			new ServingCertificateController({
				...shared,
				inputs: { secret, bundle, webhooks: [webhook] },
				names: servingNames("lateen", "lateen-system"),
				serverTime: async () => this.clock.nowMs() + this.aheadMs,
				writer: {
					writeSecret: async (written, seen) => {
						if (this.fails) {
							this.fails = false;
							throw new Error("etcd is away");
						}
						const { value } = secret;
						const version =
							value.state === "present" ? value.version : undefined;
						expect(seen).to.deep.equal(version);
						this.secretWrites++;
						secret.set(
							present(
								parseServingSecret({ data: printServingSecret(written) }),
								String(++this.#version),
							),
						);
					},
					writeBundle: async (pem) => bundle.set(present(pem, "1")),
				},
			}),
			keepWebhookRegistered({
				...shared,
				name: "webhook-registration",
				registration: validation,
				inputs: { secret, webhook },
				url: undefined,
				apply: async ({ webhooks }) => {
					const [said] = webhooks as [{ clientConfig: { caBundle: string } }];
					webhook.set(
						present(registered(atob(said.clientConfig.caBundle)), "1"),
					);
				},
			}),
		];
	}

	async stop(): Promise<void> {
		for (const one of this.#stops) await one[Symbol.asyncDispose]();
		expect(this.clock.waiting).to.equal(0);
	}

	/** Lets time pass and everything that follows happen. */
	async pass(ms: number): Promise<void> {
		this.clock.pass(ms);
		await eventLoopTurns(20);
	}

	get held(): ServingSecret {
		if (this.secret.value.state !== "present")
			throw new Error("there is no Secret");
		return this.secret.value.value;
	}

	get trusted(): string {
		const { value } = this.webhook;
		return value.state === "present"
			? (value.value.webhooks[0]?.caBundle ?? "")
			: "";
	}

	/** Whether the API server would call a webhook that shows this leaf now. */
	accepts(leaf: string): boolean {
		const certificate = new X509Certificate(leaf);
		const nowMs = this.clock.nowMs() + this.aheadMs;
		return (
			nowMs >= certificate.validFromDate.getTime() &&
			nowMs <= certificate.validToDate.getTime() &&
			splitPemBundle(this.trusted).some((pem) => {
				const authority = new X509Certificate(pem);
				return (
					certificate.checkIssued(authority) &&
					certificate.verify(authority.publicKey) &&
					nowMs <= authority.validToDate.getTime()
				);
			})
		);
	}
}

function present<T>(value: T, resourceVersion: string): Watched<T> {
	return { state: "present", value, version: { resourceVersion, uid: "u" } };
}

function registered(caBundle: string): SeenRegistration {
	return { webhooks: [{ name: registration.webhook, caBundle, url: "" }] };
}

describe("the serving certificate", () => {
	let cluster: Cluster;
	beforeEach(async () => {
		cluster = new Cluster();
		cluster.start();
		await cluster.pass(0);
	});
	afterEach(() => cluster.stop());

	it("comes into being by itself, published before it is shown", () => {
		expect(cluster.accepts(cluster.held.certificate)).to.equal(true);
		expect(cluster.bundle.value).to.deep.include({
			value: cluster.held.authorities,
		});
		const { subjectAltName } = new X509Certificate(cluster.held.certificate);
		for (const name of [
			"DNS:lateen.lateen-system.svc",
			"DNS:lateen.lateen-system",
			"DNS:lateen.lateen-system.svc.cluster.local",
			"DNS:localhost",
			"IP Address:127.0.0.1",
		])
			expect(subjectAltName).to.include(name);
	});

	it("is left alone while it is good", async () => {
		const writes = cluster.secretWrites;
		await cluster.pass(50 * DAY);
		expect(cluster.secretWrites).to.equal(writes);
	});

	it("is good on any day of three years, for replicas that are a day late, too", async () => {
		const shown = [cluster.held.certificate];
		const leaves = new Set(shown);
		const authorities = new Set<string>();
		let most = 0;
		for (let day = 0; day < 3 * 365; day += 1) {
			await cluster.pass(DAY);
			const leaf = cluster.held.certificate;
			shown.unshift(leaf);
			// A replica that was cut off shows what the Secret held a day ago.
			for (const late of [shown[0], shown[1] ?? leaf])
				expect(cluster.accepts(late ?? ""), `day ${day}`).to.equal(true);
			leaves.add(leaf);
			const bundle = splitPemBundle(cluster.held.authorities);
			for (const pem of bundle) authorities.add(pem);
			most = Math.max(most, bundle.length);
		}
		expect(leaves.size).to.be.within(18, 24);
		expect(authorities.size).to.be.within(4, 6);
		expect(most).to.equal(2);
	}).timeout(60_000);

	it("is not replaced by a leaf of a new authority before that was published for a while", async () => {
		const before = cluster.held;
		cluster.secret.set(
			present({ ...before, authorityKey: new PrivateBytes("lost") }, "7"),
		);
		await cluster.pass(0);
		const [first, second] = splitPemBundle(cluster.held.authorities);
		expect(second).to.equal(before.authorities);
		expect(cluster.trusted).to.equal(`${first}${second}`);
		await cluster.pass(5 * 60_000);
		expect(cluster.held.certificate).to.equal(before.certificate);
		await cluster.pass(5 * 60_000);
		expect(cluster.held.certificate).to.not.equal(before.certificate);
		expect(cluster.accepts(cluster.held.certificate)).to.equal(true);
		expect(cluster.accepts(before.certificate)).to.equal(true);
	});

	it("waits from the start when the bundle was taken away meanwhile", async () => {
		const before = cluster.held;
		cluster.secret.set(
			present({ ...before, authorityKey: new PrivateBytes("lost") }, "7"),
		);
		await cluster.pass(9 * 60_000);
		cluster.bundle.set({ state: "absent" });
		await cluster.pass(0);
		expect(cluster.bundle.value.state).to.equal("present");
		await cluster.pass(9 * 60_000);
		expect(cluster.held.certificate).to.equal(before.certificate);
		await cluster.pass(60_000);
		expect(cluster.held.certificate).to.not.equal(before.certificate);
	});

	it("is made anew when the Secret is deleted, and what replicas still show stays trusted", async () => {
		const before = cluster.held;
		cluster.secret.set({ state: "absent" });
		await cluster.pass(0);
		await cluster.pass(4999);
		expect(cluster.trusted).to.include(cluster.held.authorities);
		expect(cluster.held.certificate).to.equal("");
		await cluster.pass(1);
		expect(cluster.held.certificate).to.not.equal(before.certificate);
		expect(cluster.held.authorities).to.include(before.authorities);
		expect(cluster.accepts(before.certificate)).to.equal(true);
		expect(cluster.accepts(cluster.held.certificate)).to.equal(true);
	});

	const damages = [
		{
			name: "an empty Secret",
			damage: {
				authorities: "",
				authorityKey: new PrivateBytes(""),
				certificate: "",
				key: new PrivateBytes(""),
			},
		},
		{ name: "a leaf that is no certificate", damage: { certificate: "hello" } },
		{ name: "a leaf without its key", damage: { key: new PrivateBytes("x") } },
		{
			name: "a bundle that is none",
			damage: {
				authorities:
					"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			},
		},
		{ name: "bytes that are no text", damage: { certificate: "\u0000\u00ff" } },
	] as const;
	for (const { name, damage } of damages)
		it(`is mended after ${name}, while replicas go on with what they have`, async () => {
			const before = cluster.held;
			const metrics = new MetricsRegistry();
			using followed = followServingSecret({
				secret: cluster.secret,
				logger: silentLogger,
				metrics,
			});
			const shown = new Set([followed.material.value?.cert]);
			followed.material.subscribe((now) => shown.add(now?.cert));
			cluster.secret.set(present({ ...before, ...damage }, "9"));
			await cluster.pass(0);
			await cluster.pass(11 * 60_000);
			expect(cluster.accepts(cluster.held.certificate)).to.equal(true);
			expect(followed.material.value?.cert).to.equal(cluster.held.certificate);
			for (const leaf of shown)
				expect(cluster.accepts(leaf ?? ""), "shown meanwhile").to.equal(true);
		});

	it("follows the API server's clock when ours jumps", async () => {
		const writes = cluster.secretWrites;
		const jumpMs = 3 * 365 * DAY;
		cluster.clock.jump(jumpMs);
		cluster.aheadMs = -jumpMs;
		await cluster.pass(2 * HOUR);
		expect(cluster.secretWrites).to.equal(writes);
		expect(JSON.stringify(cluster.logged)).to.include(
			"The clock of this machine and the API server's differ.",
		);
	});

	it("is good again after the API server's clock has jumped, and after it was set right", async () => {
		for (const aheadMs of [3 * 365 * DAY, 0, -3 * 365 * DAY, 0]) {
			cluster.aheadMs = aheadMs;
			await cluster.pass(HOUR);
			await cluster.pass(5000);
			expect(cluster.accepts(cluster.held.certificate)).to.equal(true);
		}
	});

	it("is published again when somebody changes the ConfigMap or the webhook configuration", async () => {
		cluster.bundle.set(present("mine", "2"));
		cluster.webhook.set(present(registered("mine"), "2"));
		await cluster.pass(0);
		expect(cluster.bundle.value).to.deep.include({
			value: cluster.held.authorities,
		});
		expect(cluster.trusted).to.equal(cluster.held.authorities);
	});

	it("needs no webhook configuration", async () => {
		cluster.webhook.set({ state: "absent" });
		cluster.secret.set({ state: "absent" });
		await cluster.pass(0);
		await cluster.pass(5000);
		expect(cluster.held.certificate).to.not.equal("");
	});

	it("is written by the leader only", async () => {
		cluster.leads.set(false);
		cluster.secret.set({ state: "absent" });
		await cluster.pass(DAY);
		expect(cluster.secret.value.state).to.equal("absent");
		cluster.leads.set(true);
		await cluster.pass(0);
		expect(cluster.secret.value.state).to.equal("present");
	});

	it("is tried again when a write fails", async () => {
		cluster.fails = true;
		cluster.secret.set({ state: "absent" });
		await cluster.pass(0);
		expect(cluster.secret.value.state).to.equal("absent");
		await cluster.pass(1000);
		expect(cluster.secret.value.state).to.equal("present");
	});

	it("never shows a key to a log", () => {
		const text = JSON.stringify(cluster.logged);
		expect(text).to.include("renewed");
		expect(text).to.not.include("PRIVATE");
		expect(JSON.stringify(cluster.held)).to.not.include("PRIVATE");
	});
});
