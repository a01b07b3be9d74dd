import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { TlsMaterial } from "../lib/tls-material.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import { parseCertificate } from "../pki/read-certificate.ts";
import { isKeyOf } from "./observe-serving.ts";
import type { ServingSecret } from "./serving-secret.ts";
import type { Watched } from "./watched.ts";

/** What every replica shows to whoever connects, kept as the Secret has it. */
export interface ServingMaterial extends Disposable {
	/** Undefined before the Secret first held a certificate with its key. */
	readonly material: Signal<TlsMaterial | undefined>;
}

/**
 * Follows the Secret with the serving certificate.
 *
 * Guarantees: a Secret that is damaged, half written or deleted changes nothing: the last certificate that had its key stays
 *   in use.
 */
export function followServingSecret(parts: {
	readonly secret: Signal<Watched<ServingSecret>>;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}): ServingMaterial {
	const { secret, logger, metrics } = parts;
	const material = new WritableSignal<TlsMaterial | undefined>(undefined);
	const expires = metrics.gauge(
		"lateen_serving_certificate_expires_timestamp_seconds",
		"When the serving certificate in use expires; seconds since the epoch.",
	);
	const authorityExpires = metrics.gauge(
		"lateen_serving_authority_expires_timestamp_seconds",
		"When the authority that signs the serving certificate expires; seconds since the epoch.",
	);
	const take = (seen: Watched<ServingSecret>): void => {
		if (seen.state !== "present") return;
		const authority = parseCertificate(seen.value.authorities);
		if ("facts" in authority)
			authorityExpires.set(Math.floor(authority.facts.notAfterMs / 1000));
		const { certificate, key } = seen.value;
		const current = material.value;
		if (current?.cert === certificate && current.key.equals(key)) return;
		const read = parseCertificate(certificate);
		if ("refusal" in read || !isKeyOf(certificate, key)) {
			logger.warn(
				"The Secret holds no serving certificate with its key. The last one stays in use until the leader has mended that.",
			);
			return;
		}
		const { notAfterMs, fingerprint } = read.facts;
		expires.set(Math.floor(notAfterMs / 1000));
		logger.info("A serving certificate is in use.", {
			fingerprint,
			expires: new Date(notAfterMs).toISOString(),
		});
		material.set({ cert: certificate, key });
	};
	take(secret.value);
	const stop = secret.subscribe(take);
	return { material, [Symbol.dispose]: () => stop() };
}
