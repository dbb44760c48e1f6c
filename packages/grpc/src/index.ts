// @ostinato/grpc: the Durable Task protocol, spoken both ways: task hubs on any of its servers, and a server for workers and clients in any language.

export { connect, type ConnectOptions } from "./remote/connect.ts";
export type { Token, TokenGiver } from "./remote/credentials.ts";
export { serve, type ServeOptions, type TaskHubServer } from "./server/serve.ts";
export type { ServiceOptions } from "./server/task-hub-service.ts";
export type { Right } from "./server/access.ts";
export type { TokenGrant } from "./server/callers.ts";
export type { Hubs } from "./server/task-hubs.ts";
export type { TlsFiles } from "./server/tls-files.ts";
export type { ChannelTls } from "./transport/open-channel.ts";
