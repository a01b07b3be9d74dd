import type { ServiceDefinition, UntypedHandleCall } from "@grpc/grpc-js";
import {
	type Client,
	Metadata,
	Server,
	ServerCredentials,
} from "@grpc/grpc-js";
import type { LiveMesh } from "./live-mesh.ts";

const path = "/echo.Echo/Say";

function bytes(text: string): Buffer {
	return Buffer.from(text);
}

function text(bytes: Buffer): string {
	return bytes.toString();
}

const definition: ServiceDefinition = {
	Say: {
		path,
		requestStream: false,
		responseStream: false,
		requestSerialize: bytes,
		requestDeserialize: text,
		responseSerialize: bytes,
		responseDeserialize: text,
	},
};

/** Starts a gRPC server that answers every call with its name, but none with the header `x-hang`; returns its port. */
export async function grpcApplication(
	mesh: LiveMesh,
	name: string,
): Promise<number> {
	const server = new Server();
	const say: UntypedHandleCall = (
		call: { readonly metadata: Metadata },
		answer: (error: null, value: string) => void,
	) => {
		if (call.metadata.get("x-hang").length === 0) answer(null, name);
	};
	server.addService(definition, { Say: say });
	const port = await new Promise<number>((resolve, reject) => {
		server.bindAsync(
			"127.0.0.1:0",
			ServerCredentials.createInsecure(),
			(error, port) => (error ? reject(error) : resolve(port)),
		);
	});
	mesh.atEnd(() => server.forceShutdown());
	return port;
}

/** Calls once; the answer is the name of the server, or `status <code>: <details>`. */
export function callGrpc(
	client: Client,
	headers: Readonly<Record<string, string>> = {},
	deadlineMs = 10_000,
): Promise<string> {
	const metadata = new Metadata();
	for (const [name, value] of Object.entries(headers))
		metadata.set(name, value);
	return new Promise((resolve) => {
		client.makeUnaryRequest(
			path,
			bytes,
			text,
			"hello",
			metadata,
			{ deadline: Date.now() + deadlineMs },
			(error, value) =>
				resolve(
					error ? `status ${error.code}: ${error.details}` : (value ?? ""),
				),
		);
	});
}
