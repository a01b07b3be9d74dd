/*
 * The serving certificate of a control plane in a Kubernetes cluster, wired together:
 *
 *   Secret ─┬─▶ material ─▶ TLS of xDS and webhook   (every replica)
 *           ├─▶ ServingCertificateController ─▶ Secret, ConfigMap   (leader)
 *           └─▶ webhook registration ─▶ webhook configurations      (leader)
 */
import { validatePath } from "../../../admission/http.ts";
import { mutatePath } from "../../../admission/inject-http.ts";
import type {
	ControllerFigures,
	Leader,
} from "../../../controllers/controller.ts";
import { ServingCertificateController } from "../../../controllers/serving-certificate.ts";
import { followServingSecret } from "../../../controllers/serving-material.ts";
import { servingNames } from "../../../controllers/serving-names.ts";
import { keepWebhookRegistered } from "../../../controllers/webhook-registration.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import type { ObjectClient } from "../../../kube/object-client.ts";
import { resources } from "../../../kube/resources.ts";
import { serverTime } from "../../../kube/server-time.ts";
import type { WatchMetrics } from "../../../kube/watch-metrics.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Signal } from "../../../lib/signal.ts";
import type { TlsMaterial } from "../../../lib/tls-material.ts";
import type { Logger } from "../../../observability/logger.ts";
import type { MetricsRegistry } from "../../../observability/metrics.ts";
import { injection } from "../../../reconcilers/injection-registration.ts";
import { validation } from "../../../reconcilers/webhook-registration.ts";
import { runInBackground } from "../../lifecycle/background.ts";
import type { Stops } from "../../lifecycle/stops.ts";
import {
	bundlePlace,
	registrationWriter,
	secretPlace,
	servingWriter,
	webhookPlace,
} from "./serving-objects.ts";
import { watchObject } from "./watch-object.ts";

/** The Service in front of the replicas. */
const serviceName = "lateen";

/** What is registered with the API server. */
const kinds = [
	{
		controller: "webhook-registration",
		resource: resources.ValidatingWebhookConfiguration,
		of: validation,
		path: validatePath,
	},
	{
		controller: "injection-registration",
		resource: resources.MutatingWebhookConfiguration,
		of: injection,
		path: mutatePath,
	},
] as const;

/** What the certificate is kept with. */
export interface ServingParts {
	readonly connection: KubeConnection;
	readonly client: ObjectClient;
	readonly leader: Leader;
	/** Lateen's own. */
	readonly namespace: string;
	/** How the API server reaches the webhook when it is not by the Service: `https://192.0.2.1:15017`. */
	readonly webhookUrl: string | undefined;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	readonly watchMetrics: WatchMetrics;
	readonly figures: ControllerFigures;
	/** Is told of a part that stopped and should not have. */
	readonly onFailure: (error: unknown) => void;
}

/**
 * Keeps the serving certificate, and answers what to show to whoever connects.
 *
 * Undefined until the leader has made a certificate, which on a new cluster takes a moment.
 */
export function startServing(
	parts: ServingParts,
	stops: Stops,
): Signal<TlsMaterial | undefined> {
	const { connection, client, leader, namespace, webhookUrl, clock } = parts;
	const { metrics, figures, onFailure } = parts;
	const logger = parts.logger.child({ part: "serving" });
	const shared = { connection, clock, logger, metrics: parts.watchMetrics };
	const secret = watchObject({ ...shared, ...secretPlace(namespace) });
	const bundle = watchObject({ ...shared, ...bundlePlace(namespace) });
	const webhooks = kinds.map(({ resource, of, ...kind }) => ({
		...kind,
		resource,
		of,
		watched: watchObject({
			...shared,
			...webhookPlace(
				resource,
				webhookUrl === undefined ? of.name : of.urlName,
			),
		}),
	}));
	const { material } = stops.own(
		followServingSecret({ secret: secret.object, logger, metrics }),
	);
	const names = servingNames(serviceName, namespace);
	stops.own(
		new ServingCertificateController({
			inputs: {
				secret: secret.object,
				bundle: bundle.object,
				webhooks: webhooks.map(({ watched }) => watched.object),
			},
			names: withHostOf(webhookUrl, names),
			writer: servingWriter(client, namespace),
			serverTime: (signal) => serverTime(connection, signal),
			leader,
			clock,
			logger,
			figures,
		}),
	);
	for (const { controller, of, path, resource, watched } of webhooks)
		stops.own(
			keepWebhookRegistered({
				name: controller,
				registration: of,
				inputs: { secret: secret.object, webhook: watched.object },
				url:
					webhookUrl === undefined ? undefined : new URL(path, webhookUrl).href,
				apply: registrationWriter(client, resource),
				leader,
				clock,
				logger,
				figures,
			}),
		);
	for (const { run } of [
		secret,
		bundle,
		...webhooks.map(({ watched }) => watched),
	])
		void runInBackground("A watch", run, onFailure, stops).catch(
			// It went to `onFailure` already.
			() => undefined,
		);
	return material;
}

/** The API server looks for the host of the URL in the certificate. */
function withHostOf(
	url: string | undefined,
	names: ReturnType<typeof servingNames>,
): ReturnType<typeof servingNames> {
	if (url === undefined) return names;
	const host = new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
	const isIp = /^[\d.]+$|:/.test(host);
	return isIp
		? { ...names, ips: [...new Set([...names.ips, host])] }
		: { ...names, dns: [...new Set([...names.dns, host])] };
}
