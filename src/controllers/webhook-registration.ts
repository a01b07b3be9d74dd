/*
 * Keeps the API server's trust in the webhook current: the bundle of the Secret goes into the webhook configuration,
 * again and again when somebody takes it out.
 */
import type { Clock } from "../lib/clock.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import {
	decideRegistration,
	type Registration,
	type RegistrationDecision,
	type SeenRegistration,
} from "../reconcilers/webhook-registration.ts";
import {
	Controller,
	type ControllerFigures,
	type Leader,
} from "./controller.ts";
import { observeServing } from "./observe-serving.ts";
import type { ServingSecret } from "./serving-secret.ts";
import type { Watched } from "./watched.ts";

/** What the controller works with. */
export interface WebhookRegistrationParts {
	/** Tells controllers apart in logs and figures. */
	readonly name: string;
	readonly inputs: {
		readonly secret: Signal<Watched<ServingSecret>>;
		readonly webhook: Signal<Watched<SeenRegistration>>;
	};
	readonly registration: Registration;
	/** Where the API server reaches the webhook; undefined when it is behind the Service of the manifests. */
	readonly url: string | undefined;
	/** Says this of a configuration by server-side apply, and takes it over from others. */
	readonly apply: (
		said: Extract<RegistrationDecision, { readonly action: "apply" }>,
		signal: AbortSignal,
	) => Promise<void>;
	readonly leader: Leader;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly figures: ControllerFigures;
}

/** Keeps the webhook's registration current; disposing ends it. */
export function keepWebhookRegistered(
	parts: WebhookRegistrationParts,
): AsyncDisposable {
	const { inputs, leader, clock, logger, figures } = parts;
	return new Controller({
		name: parts.name,
		inputs: [inputs.secret, inputs.webhook],
		leader,
		step: (signal) => step(parts, signal),
		clock,
		logger,
		figures,
	});
}

async function step(
	{
		inputs,
		registration,
		url,
		apply,
		leader,
		logger,
	}: WebhookRegistrationParts,
	signal: AbortSignal,
): Promise<undefined> {
	const secret = inputs.secret.value;
	const webhook = inputs.webhook.value;
	if (secret.state !== "present" || webhook.state === "unknown") return;
	const { authorities, authorityKeyMatches } = observeServing(secret.value, "");
	// A bundle whose key is lost is about to be replaced.
	if (!authorityKeyMatches) return;
	const decision = decideRegistration(
		webhook.state === "present" ? webhook.value : undefined,
		{ bundle: authorities.map(({ pem }) => pem).join(""), url },
		registration,
	);
	if (decision.action !== "apply" || !leader.isLeader()) return;
	await apply(decision, signal);
	logger.info("The API server is told whom to trust for the webhook.", {
		configuration: decision.name,
		authorities: authorities.length,
	});
}
