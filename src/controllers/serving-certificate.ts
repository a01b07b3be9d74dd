/*
 * Keeps the Secret with the serving certificate good, and its bundle published.
 *
 *   Secret ─▶ observe ─▶ decide ─▶ new authority, new leaf, less bundle ─▶ Secret
 *     └─ bundle ─▶ ConfigMap (proxies)         webhook configuration: webhook-registration.ts
 *
 * The time is the API server's: it is who refuses a certificate that expired or is not valid yet, so its clock
 * counts, and ours may be wrong.
 */
import type { Clock } from "../lib/clock.ts";
import { PrivateBytes } from "../lib/private-bytes.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { CertificateNames } from "../pki/certificate-names.ts";
import { createAuthority } from "../pki/create-authority.ts";
import { generateKey } from "../pki/generate-key.ts";
import { issueCertificate } from "../pki/issue-certificate.ts";
import { parsePrivateKey, printPrivateKey } from "../pki/private-key.ts";
import {
	decideServing,
	type SeenAuthority,
	type ServingDecision,
	servingLifetimes,
} from "../reconcilers/serving-certificate.ts";
import type { SeenRegistration } from "../reconcilers/webhook-registration.ts";
import {
	Controller,
	type ControllerFigures,
	type Leader,
} from "./controller.ts";
import { observeServing, readAuthorities } from "./observe-serving.ts";
import type { ServingSecret } from "./serving-secret.ts";
import type { ObjectVersion, Watched } from "./watched.ts";

/** Writes what the controller decides. Fails when: it could not be written, or was changed meanwhile. */
export interface ServingWriter {
	/** Stores the whole Secret in the place of the one that was seen; undefined: there must be none. */
	writeSecret(
		secret: ServingSecret,
		seen: ObjectVersion | undefined,
		signal: AbortSignal,
	): Promise<void>;
	/** Publishes the bundle for proxies. */
	writeBundle(bundle: string, signal: AbortSignal): Promise<void>;
}

/** What the controller works with. */
export interface ServingCertificateParts {
	readonly inputs: {
		readonly secret: Signal<Watched<ServingSecret>>;
		/** The bundle that was published for proxies; PEM. */
		readonly bundle: Signal<Watched<string>>;
		/** Of every kind that is registered. */
		readonly webhooks: readonly Signal<Watched<SeenRegistration>>[];
	};
	/** Whom the certificate speaks for. */
	readonly names: CertificateNames;
	readonly writer: ServingWriter;
	/** The API server's time; milliseconds since the epoch. */
	readonly serverTime: (signal: AbortSignal) => Promise<number>;
	readonly leader: Leader;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly figures: ControllerFigures;
}

/** How far our clock may be off before it is said. Milliseconds. */
const clocksDifferMs = 5 * 60_000;

/** What authorities are called, before the beginning of their key's identifier. */
const authorityName = "lateen";

/**
 * Keeps the serving certificate good.
 *
 * Guarantees: only the leader writes, and only over what it has seen.
 */
export class ServingCertificateController implements AsyncDisposable {
	readonly #parts: ServingCertificateParts;
	readonly #loop: Controller;
	/** Since when which bundle has been everywhere; monotonic. */
	#published: { readonly bundle: string; readonly sinceMs: number } | undefined;
	#isClockOff = false;

	/** Starts at once; disposing ends it. */
	constructor(parts: ServingCertificateParts) {
		this.#parts = parts;
		const { inputs, leader, clock, logger, figures } = parts;
		this.#loop = new Controller({
			name: "serving-certificate",
			inputs: [inputs.secret, inputs.bundle, ...inputs.webhooks],
			leader,
			step: (signal) => this.#step(signal),
			clock,
			logger,
			figures,
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#loop[Symbol.asyncDispose]();
	}

	async #step(signal: AbortSignal): Promise<number | undefined> {
		const { inputs, names, writer, leader } = this.#parts;
		const nowMs = await this.#nowMs(signal);
		const secret = inputs.secret.value;
		const bundle = inputs.bundle.value;
		const webhooks = inputs.webhooks.map(({ value }) => value);
		if (
			secret.state === "unknown" ||
			bundle.state === "unknown" ||
			webhooks.some(({ state }) => state === "unknown")
		)
			return undefined;
		const held = secret.state === "present" ? secret.value : undefined;
		const published = bundle.state === "present" ? bundle.value : "";
		const observed = observeServing(held, published);
		const wanted = observed.authorities.map(({ pem }) => pem).join("");
		if (
			wanted !== "" &&
			wanted !== published &&
			// A bundle whose key is lost is about to be replaced.
			observed.authorityKeyMatches
		) {
			if (!leader.isLeader()) return undefined;
			await writer.writeBundle(wanted, signal);
			this.#parts.logger.info("The bundle of authorities is published.", {
				authorities: observed.authorities.length,
			});
		}
		const decision = decideServing(
			{
				...observed,
				publishedForMs: this.#publishedForMs(wanted, [
					published,
					...webhooks.flatMap((webhook) =>
						webhook.state === "present"
							? webhook.value.webhooks.map(({ caBundle }) => caBundle)
							: [],
					),
				]),
				names: [...names.dns, ...names.ips],
			},
			nowMs,
		);
		if (decision.action === "nothing") return decision.lookAgainMs;
		const next = makeNext(decision, held, observed.authorities, names, nowMs);
		if (!leader.isLeader()) return undefined;
		await writer.writeSecret(
			next,
			secret.state === "present" ? secret.version : undefined,
			signal,
		);
		this.#parts.logger.info(
			"The Secret with the serving certificate is renewed.",
			{
				action: decision.action,
				...("cause" in decision && { cause: decision.cause }),
			},
		);
		// The change comes back and wakes us; this is for when it does not.
		return 10_000;
	}

	/** For how long everybody could have read the wanted bundle. */
	#publishedForMs(
		wanted: string,
		places: readonly string[],
	): number | undefined {
		const nowMs = this.#parts.clock.monotonicMs();
		const isEverywhere =
			wanted !== "" && places.every((place) => hasAll(place, wanted));
		if (!isEverywhere) {
			this.#published = undefined;
			return undefined;
		}
		if (this.#published?.bundle !== wanted)
			this.#published = { bundle: wanted, sinceMs: nowMs };
		return nowMs - this.#published.sinceMs;
	}

	async #nowMs(signal: AbortSignal): Promise<number> {
		const { serverTime, clock, logger } = this.#parts;
		const nowMs = await serverTime(signal);
		const differMs = Math.abs(clock.nowMs() - nowMs);
		if (differMs > clocksDifferMs !== this.#isClockOff) {
			this.#isClockOff = !this.#isClockOff;
			if (this.#isClockOff)
				logger.warn(
					"The clock of this machine and the API server's differ. Certificates follow the API server's; set the clock that is wrong.",
					{ differMs },
				);
		}
		return nowMs;
	}
}

function hasAll(place: string, wanted: string): boolean {
	const has = new Set(readAuthorities(place).map(({ pem }) => pem));
	return readAuthorities(wanted).every(({ pem }) => has.has(pem));
}

function makeNext(
	decision: Exclude<ServingDecision, { readonly action: "nothing" }>,
	held: ServingSecret | undefined,
	authorities: readonly SeenAuthority[],
	names: CertificateNames,
	nowMs: number,
): ServingSecret {
	const before = held ?? nothingHeld;
	const { authorityMs, leafMs, backdateMs } = servingLifetimes;
	const notBeforeMs = nowMs - backdateMs;
	switch (decision.action) {
		case "new-authority": {
			const keys = generateKey();
			const authority = createAuthority({
				name: authorityName,
				keys,
				validity: { notBeforeMs, notAfterMs: nowMs + authorityMs },
			});
			return {
				...before,
				authorities: [authority, ...decision.keep].join(""),
				authorityKey: printPrivateKey(keys.privateKey),
			};
		}
		case "new-leaf": {
			const parsed = parsePrivateKey(before.authorityKey);
			const [authority] = authorities;
			if ("refusal" in parsed || authority === undefined)
				throw new Error("a leaf was decided on without an authority's key");
			const keys = generateKey();
			const certificate = issueCertificate({
				issuer: {
					certificate: authority.pem,
					privateKey: parsed.keys.privateKey,
				},
				publicKey: keys.publicKey,
				names,
				usages: ["server"],
				validity: { notBeforeMs, notAfterMs: nowMs + leafMs },
			});
			return { ...before, certificate, key: printPrivateKey(keys.privateKey) };
		}
		case "drop-authorities":
			return { ...before, authorities: decision.keep.join("") };
	}
}

const nothingHeld: ServingSecret = {
	authorities: "",
	authorityKey: new PrivateBytes(""),
	certificate: "",
	key: new PrivateBytes(""),
};
