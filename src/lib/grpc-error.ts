import { CodedError } from "./coded-error.ts";

/** The gRPC status codes that this program answers with, as they stand on the wire. */
export const grpcStatus = {
	ok: 0,
	cancelled: 1,
	unknown: 2,
	invalidArgument: 3,
	deadlineExceeded: 4,
	notFound: 5,
	permissionDenied: 7,
	resourceExhausted: 8,
	failedPrecondition: 9,
	aborted: 10,
	unimplemented: 12,
	internal: 13,
	unavailable: 14,
	unauthenticated: 16,
} as const;

/** One of the gRPC status codes. */
export type GrpcStatusCode = (typeof grpcStatus)[keyof typeof grpcStatus];

/**
 * Ends a gRPC stream with a status that the client is to see. The message goes
 * out as it is, so it holds nothing secret.
 */
export class GrpcError extends CodedError {
	override readonly name = "GrpcError";
	/** A stream of a proxy was ended with a gRPC status; the log has its words. Next: mend what they name, mostly the proxy's token or bootstrap; Envoy comes back by itself. */
	readonly code = "GRPC_STATUS";
	readonly retryable: boolean;
	/** Never `ok`. */
	readonly status: GrpcStatusCode;

	constructor(
		status: Exclude<GrpcStatusCode, 0>,
		message: string,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.status = status;
		this.retryable =
			status === grpcStatus.unavailable ||
			status === grpcStatus.resourceExhausted;
	}
}
