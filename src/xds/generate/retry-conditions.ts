import type { RetryPolicySchema } from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { Init } from "./init.ts";

/**
 * On an answer that a sidecar gives in place of its application, to which it could not connect: the application has seen nothing of the
 * request, so the caller's proxy may ask another endpoint, whatever the method.
 */
export const notDeliveredHeader = "x-lateen-not-delivered";

const connectFailure = "connect-failure";
const retriableHeaders = "retriable-headers";

/** The part of a retry policy that says on what; a connection that cannot be made may also be the one from the endpoint's sidecar to its application. */
export function retryOn(
	conditions: readonly string[],
): Pick<Init<typeof RetryPolicySchema>, "retryOn" | "retriableHeaders"> {
	if (!conditions.includes(connectFailure))
		return { retryOn: conditions.join(",") };
	return {
		retryOn: [...conditions, retriableHeaders].join(","),
		retriableHeaders: [
			{
				name: notDeliveredHeader,
				headerMatchSpecifier: { case: "presentMatch", value: true },
			},
		],
	};
}

/** The conditions that `retryOn` was given. */
export function readRetryOn(retryOn: string): readonly string[] {
	return retryOn
		.split(",")
		.filter((condition) => condition !== retriableHeaders);
}
