"""Messages that come back, written after RFC 3464 and after what servers of each kind send.

Each takes the address it goes ``to``, and the Message-ID and return address of the mail it is
about; the text of the mail is not quoted.
"""

from __future__ import annotations

SENT = "<recall.daily.2026-05-01.TKY.1.abcdefghijklmnop@registry.example.org>"
TO = "bounce+1.abcdefghijklmnop@registry.example.org"


def lines(text: str) -> bytes:
    """As it travels: CRLF, and no blank line first."""
    return text.lstrip("\n").replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def dsn(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 <hiro@example.org>: Recipient address rejected: User unknown",
    to: str = TO,
    sent: str = SENT,
    own_id: str = "<20260501070312.4F1B2@mx.example.org>",
) -> bytes:
    """Postfix: a report with the mail's headers."""
    return lines(f"""
Return-Path: <>
X-Original-To: {to}
Delivered-To: bounce@registry.example.org
Received: by mx.example.org (Postfix) id 4F1B2; Fri,  1 May 2026 07:03:12 +0900 (JST)
Date: Fri,  1 May 2026 07:03:12 +0900 (JST)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="9A1C2.1777586592/mx.example.org"
Message-Id: {own_id}

This is a MIME-encapsulated message.

--9A1C2.1777586592/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

--9A1C2.1777586592/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 9A1C2
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Fri,  1 May 2026 07:03:10 +0900 (JST)

Final-Recipient: rfc822; hiro@example.org
Original-Recipient: rfc822;hiro@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: {said}

--9A1C2.1777586592/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

From: Saphena <saphena@registry.example.org>
To: hiro@example.org
Subject: Tokyo: 1 recall
Message-ID: {sent}

--9A1C2.1777586592/mx.example.org--
""")


def exchange(*, to: str = TO, sent: str = SENT) -> bytes:
    """Exchange Online: words in HTML and text, the report, and the headers of the mail."""
    return lines(f"""
Received: from TYCP286.jpnprd01.prod.outlook.com by mx.registry.example.org;
 Fri, 1 May 2026 07:03:12 +0900
MIME-Version: 1.0
From: <postmaster@hospital.example.jp>
To: <{to}>
Date: Thu, 30 Apr 2026 22:03:12 +0000
Content-Type: multipart/report; report-type=delivery-status;
	boundary="37a1c1f8-0c4f-4d6e-b1bb-1d0b2f6d1c11"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: ja-JP
Message-ID: <9e1d0f0e@TYCP286.jpnprd01.prod.outlook.com>
In-Reply-To: {sent}
References: {sent}
Subject: =?utf-8?B?6YWN5L+h5LiN6IO9OiBUb2t5bzogMSByZWNhbGw=?=
Auto-Submitted: auto-replied
Precedence: bulk

--37a1c1f8-0c4f-4d6e-b1bb-1d0b2f6d1c11
Content-Type: multipart/alternative; differences=Content-Type;
	boundary="fb3c0f6d-7a35-4f57-a6d1-98b1b5a1a0d2"

--fb3c0f6d-7a35-4f57-a6d1-98b1b5a1a0d2
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

6YWN5L+h44Gn44GN44G+44Gb44KT44Gn44GX44Gf44CC

--fb3c0f6d-7a35-4f57-a6d1-98b1b5a1a0d2
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<html><body><p>Your message to <b>hiro@hospital.example.jp</b> couldn't be de=
livered.</p></body></html>

--fb3c0f6d-7a35-4f57-a6d1-98b1b5a1a0d2--

--37a1c1f8-0c4f-4d6e-b1bb-1d0b2f6d1c11
Content-Type: message/delivery-status

Reporting-MTA: dns;TYCP286.jpnprd01.prod.outlook.com
Received-From-MTA: dns;mail.registry.example.org
Arrival-Date: Thu, 30 Apr 2026 22:03:10 +0000

Final-Recipient: rfc822;hiro@hospital.example.jp
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP
 address lookup

--37a1c1f8-0c4f-4d6e-b1bb-1d0b2f6d1c11
Content-Type: message/rfc822

From: Saphena <saphena@registry.example.org>
To: hiro@hospital.example.jp
Message-ID: {sent}
MIME-Version: 1.0
Content-Type: text/plain

--37a1c1f8-0c4f-4d6e-b1bb-1d0b2f6d1c11--
""")


def gmail(*, to: str = TO, sent: str = SENT) -> bytes:
    """Gmail: multipart/report around multipart/related, the code folded over several lines."""
    return lines(f"""
Delivered-To: bounce@registry.example.org
MIME-Version: 1.0
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {to}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
Message-ID: <681297a0.050a0220.1a2b3c.d4e5.GMR@mx.google.com>
Date: Thu, 30 Apr 2026 15:03:12 -0700 (PDT)
Content-Type: multipart/report; boundary="000000000000d1f0b20636a1f2c4"; report-type=delivery-status
X-Failed-Recipients: hiro@clinic.example.com
In-Reply-To: {sent}
References: {sent}

--000000000000d1f0b20636a1f2c4
Content-Type: multipart/related; boundary="000000000000d1f5c00636a1f2c8"

--000000000000d1f5c00636a1f2c8
Content-Type: text/plain; charset="UTF-8"


** Address not found **

Your message wasn't delivered to hiro@clinic.example.com because the address couldn't be found.

--000000000000d1f5c00636a1f2c8--

--000000000000d1f0b20636a1f2c4
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Thu, 30 Apr 2026 15:03:11 -0700 (PDT)
X-Original-Message-ID: {sent}

Final-Recipient: rfc822; hiro@clinic.example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please
 550-5.1.1 try double-checking the recipient's email address for typos or
 550 5.1.1 unnecessary spaces.
Last-Attempt-Date: Thu, 30 Apr 2026 15:03:12 -0700 (PDT)

--000000000000d1f0b20636a1f2c4--
""")


def qmail(*, to: str = TO, sent: str = SENT, said: str = "") -> bytes:
    """qmail: words only, the mail quoted behind a line."""
    said = (
        said
        or """192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 <hiro@example.org>... User unknown
Giving up on 192.0.2.7."""
    )
    return lines(f"""
Return-Path: <>
Delivered-To: {to}
Received: (qmail 21203 invoked for bounce); 1 May 2026 07:03:12 +0900
Date: 1 May 2026 07:03:12 +0900
From: MAILER-DAEMON@mail.example.org
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at mail.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<hiro@example.org>:
{said}

--- Below this line is a copy of the message.

Return-Path: <{to}>
Message-ID: {sent}
Subject: 1 recall, 450 open
""")


def provider_of_japan(*, to: str = TO, sent: str = SENT) -> bytes:
    """A Japanese provider: ISO-2022-JP in words only, without any code, and the mail as a part."""
    words = (
        "送信先のメールアドレスが見つかりませんでした。\n\n<hiro@example.ne.jp>\n  User unknown\n"
    )
    head, tail = (
        lines(part)
        for part in (
            f"""
Return-Path: <MAILER-DAEMON>
From: <Postmaster@mail.example.ne.jp>
To: <{to}>
Subject: Mail System Error - Returned Mail
Message-Id: <20260501070312.EF283A071@mail.example.ne.jp>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==_JP/00000001"

--==_JP/00000001
Content-Type: text/plain; charset="ISO-2022-JP"
Content-Transfer-Encoding: 7bit

""",
            f"""

--==_JP/00000001
Content-Type: message/rfc822

Message-ID: {sent}
To: hiro@example.ne.jp

--==_JP/00000001--
""",
        )
    )
    return head + words.replace("\n", "\r\n").encode("iso-2022-jp") + tail


def exim(*, to: str = TO, sent: str = SENT) -> bytes:
    """Exim of old: words only, and a header that names the recipient."""
    return lines(f"""
Return-path: <>
Envelope-to: {to}
X-Failed-Recipients: hiro@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.org>
To: {to}
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1uA0aB-0003Xy-7Q@mail.example.org>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  hiro@example.org
    SMTP error from remote mail server after RCPT TO:<hiro@example.org>:
    host mail.example.org [192.0.2.7]: 552 5.2.2 mailbox of hiro is full

------ This is a copy of the message, including all the headers. ------

Message-ID: {sent}
""")


def reply(*headers: str, to: str = TO, sent: str = SENT, text: str = "I am away.") -> bytes:
    """What a person's own program answers, with the ``headers`` by which it is known."""
    more = "".join(f"{header}\n" for header in headers)
    return lines(f"""
Return-Path: <>
From: Hiro Mori <hiro@example.org>
To: {to}
Message-ID: <a1@example.org>
In-Reply-To: {sent}
{more}
{text}
""")
