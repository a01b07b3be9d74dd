import { once } from "node:events";
import { hostname } from "node:os";
import {
	Client,
	credentials,
	Server,
	ServerCredentials,
	type ServerDuplexStream,
	type ServerUnaryCall,
	type ServerWritableStream,
	type ServiceError,
	type sendUnaryData,
	status,
} from "@grpc/grpc-js";

/** What came of the calls of each kind. */
export interface Calls {
	readonly unary: string;
	readonly serverStream: readonly string[];
	readonly bidi: readonly string[];
	/** Of the call that fails. */
	readonly failure: { readonly code: number; readonly details: string };
	/** Of the call that takes longer than its deadline. */
	readonly late: number;
}

const bytes = (said: string): Buffer => Buffer.from(said);
const unbytes = (said: Buffer): string => said.toString();

function method(path: string, requestStream: boolean, responseStream: boolean) {
	return {
		path,
		requestStream,
		responseStream,
		requestSerialize: bytes,
		requestDeserialize: unbytes,
		responseSerialize: bytes,
		responseDeserialize: unbytes,
	};
}

const service = {
	Say: method("/echo.Echo/Say", false, false),
	Count: method("/echo.Echo/Count", false, true),
	Talk: method("/echo.Echo/Talk", true, true),
};

/** Answers calls of each kind on 7000. */
export function serveGrpc(): void {
	const server = new Server();
	server.addService(service, {
		Say: (
			call: ServerUnaryCall<string, string>,
			done: sendUnaryData<string>,
		) => {
			if (call.request === "fail")
				done({ code: status.FAILED_PRECONDITION, details: "As asked." });
			else if (call.request !== "hang")
				done(
					null,
					`${hostname()} to ${call.getPeer().replace("::ffff:", "")}: ${call.request}`,
				);
		},
		Count: (call: ServerWritableStream<string, string>) => {
			for (let n = 1; n <= Number(call.request); n += 1) call.write(String(n));
			call.end();
		},
		Talk: (call: ServerDuplexStream<string, string>) => {
			call.on("data", (said: string) => call.write(`re: ${said}`));
			call.on("end", () => call.end());
		},
	});
	server.bindAsync("[::]:7000", ServerCredentials.createInsecure(), (error) => {
		if (error !== null) throw error;
	});
}

/** Makes one call of each kind, and two that fail. */
export async function callGrpc(address: string): Promise<Calls> {
	const client = new Client(address, credentials.createInsecure());
	const unary = async (said: string, deadlineMs = 10_000): Promise<string> => {
		const { promise, resolve, reject } = Promise.withResolvers<string>();
		client.makeUnaryRequest(
			...([service.Say.path, bytes, unbytes, said] as const),
			{ deadline: Date.now() + deadlineMs },
			(error, value) => (error === null ? resolve(value ?? "") : reject(error)),
		);
		return await promise;
	};
	const failing = async (
		said: string,
		deadlineMs?: number,
	): Promise<{ readonly code: number; readonly details: string }> =>
		await unary(said, deadlineMs).then(
			(answer) => ({ code: 0, details: answer }),
			({ code, details }: ServiceError) => ({ code, details }),
		);
	// First the one whose error says why nothing works.
	const hello = await unary("hello");
	const counted = client.makeServerStreamRequest(
		...([service.Count.path, bytes, unbytes, "3"] as const),
	);
	const talk = client.makeBidiStreamRequest(
		...([service.Talk.path, bytes, unbytes] as const),
	);
	const talked: string[] = [];
	for (const word of ["one", "two"]) {
		talk.write(word);
		// Each answer comes before the next word is said: nothing on the way may wait for the end.
		const [said] = (await once(talk, "data")) as [string];
		talked.push(said);
	}
	talk.end();
	return {
		unary: hello,
		serverStream: (await counted.toArray()) as string[],
		bidi: talked,
		failure: await failing("fail"),
		late: (await failing("hang", 500)).code,
	};
}
